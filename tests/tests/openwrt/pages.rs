//! The pages in LuCI: the same options as the service's, and nothing but text in them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::options::declared;
use crate::text;

const VIEWS: &str = "openwrt/luci-app-qpq/htdocs/luci-static/resources/view/qpq";

/// What the page of settings says of an option.
#[derive(Debug, Default)]
struct Field {
    widget: String,
    datatype: String,
    default: String,
    words: Vec<String>,
    is_checked: bool,
}

fn fields() -> BTreeMap<String, Field> {
    let page = text(&format!("{VIEWS}/settings.js"));
    let blocks = page.split("o = s.taboption(").skip(1);
    blocks
        .map(|block| {
            let mut arguments = block.splitn(4, ", ");
            let (_, widget) = (arguments.next(), arguments.next().unwrap());
            let name = arguments.next().unwrap().trim_matches('\'');
            let set = |what: &str| {
                let value = block.split_once(&format!("o.{what} = '")).map_or("", |(_, rest)| rest);
                value.split('\'').next().unwrap().to_owned()
            };
            let choices =
                block.split_once("choices(o, [").map_or("", |(_, rest)| rest.split(" ]);").next().unwrap());
            let words = choices.split("[ '").skip(1).map(|word| word.split('\'').next().unwrap().to_owned());
            let field = Field {
                widget: widget.to_owned(),
                datatype: set("datatype"),
                default: set("default"),
                words: words.collect(),
                is_checked: block.contains("o.validate = harmless"),
            };
            (name.to_owned(), field)
        })
        .collect()
}

#[test]
fn the_page_has_the_options_of_the_service_with_their_types() {
    let mut fields = fields();
    for option in declared() {
        let name = &option.name;
        let field = fields.remove(name).unwrap_or_else(|| panic!("the page of settings has no {name}"));
        assert_eq!(field.default, option.default, "{name}");
        assert_eq!(field.words, option.words(), "{name}");
        let (widget, is_fit) = match option.kind.as_str() {
            "bool" => ("form.Flag", true),
            "uciname" => ("widgets.NetworkSelect", true),
            "string" => ("form.Value", field.is_checked),
            "list(string)" => ("form.DynamicList", field.is_checked || !field.datatype.is_empty()),
            kind if kind.starts_with("or(") => ("form.ListValue", true),
            kind => ("form.Value", field.datatype == kind),
        };
        assert_eq!(field.widget, widget, "{name}");
        assert!(is_fit, "{name}: {field:?}");
    }
    assert!(fields.is_empty(), "the service knows nothing of {:?}", fields.keys());
}

#[test]
fn pages_consist_of_text() {
    for view in ["status", "settings"] {
        let page = text(&format!("{VIEWS}/{view}.js"));
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacent", "rawhtml", "eval(", "fs.exec", "cbi_update_table"]
        {
            assert!(!page.contains(forbidden), "{view}.js: {forbidden}");
        }
        // What LuCI's E() gets as a list of children is text or elements; a bare string would be HTML.
        for element in page.split("E('").skip(1) {
            let (_, rest) = element.split_once("', {").unwrap();
            let (_, children) = rest.split_once('}').unwrap();
            let is_list = ["[", "rows.map(", "row.map(", "titles.map(", "shown("];
            let children = children.trim_start_matches([',', ' ']);
            assert!(is_list.iter().any(|start| children.starts_with(start)), "{view}.js: E('{element}");
        }
    }
}

#[test]
fn pages_ask_for_what_they_may() {
    let page = text(&format!("{VIEWS}/status.js"));
    let list = text(page_file!("/usr/share/rpcd/acl.d/luci-app-qpq.json"));
    let list: Value = serde_json::from_str(&list).unwrap();
    let granted =
        ["read", "write"].map(|kind| list["luci-app-qpq"][kind]["ubus"]["qpq"].as_array().unwrap().clone());
    let mut asked: Vec<_> =
        page.split("= ask('").skip(1).map(|rest| rest.split('\'').next().unwrap()).collect();
    let mut granted: Vec<_> = granted.iter().flatten().map(|name| name.as_str().unwrap()).collect();
    asked.sort_unstable();
    granted.sort_unstable();
    assert_eq!(asked, granted);
    let menu: Value =
        serde_json::from_str(&text(page_file!("/usr/share/luci/menu.d/luci-app-qpq.json"))).unwrap();
    let entries = menu.as_object().unwrap().values();
    for path in entries.filter_map(|entry| entry["action"]["path"].as_str()) {
        assert!(["qpq/status", "qpq/settings"].contains(&path), "{path}");
    }
}
