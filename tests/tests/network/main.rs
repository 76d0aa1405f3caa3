//! Real nodes on networks that do what networks do: lose, delay, reorder, filter, translate, and go away.

mod carried;
