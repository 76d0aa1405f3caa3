//! The slash commands, in one table: help and completion are derived from it.

/// A slash command.
#[derive(Debug)]
pub(super) struct Slash {
    /// Without the slash.
    pub(super) name: &'static str,
    /// What follows the name.
    pub(super) usage: &'static str,
    /// What it does, in a few words; empty for what is not there yet.
    pub(super) help: &'static str,
}

/// Every slash command, in the order in which help lists them.
pub(super) const SLASH_COMMANDS: &[Slash] = &[
    slash("dm", "NAME [TEXT]", "talk to a contact, or send it one message"),
    slash("switch", "NAME", "plain text goes there from now on"),
    slash("list", "", "conversations, the latest first"),
    slash("history", "[COUNT]", "the last messages of this conversation"),
    slash("add", "LINK", "add the person behind an invitation link"),
    slash("accept", "NAME", "accept a contact request"),
    slash("contacts", "", "contacts and requests"),
    slash("rename", "NAME NEW", "call a contact by another name"),
    slash("verify", "NAME [match|mismatch|DIGITS]", "show the safety number, or record that it was compared"),
    slash("block", "NAME", "stop hearing from a contact and sending to it"),
    slash("unblock", "NAME", "lift that"),
    slash("create-group", "NAME [@CONTACT...]", "make a group"),
    slash("invite", "[@CONTACT...]", "add contacts to this group; alone, make a link for a new contact"),
    slash("join", "LINK", "join the group behind a link"),
    slash("leave", "#GROUP", "leave a group; name it, so that nobody leaves by a slip"),
    slash("remove", "@MEMBER", "remove a member from this group"),
    slash("members", "", "who is in this group"),
    slash("group-info", "", "this group's members, encryption and open changes"),
    slash("update-key", "", "replace the keys of this conversation"),
    slash("mesh", "[COMMAND ...]", "neighbours, what is carried, topics; alone it lists its commands"),
    slash("whoami", "", "your name and keys"),
    slash("help", "[COMMAND]", "this list"),
    slash("quit", "", "end the chat"),
    later("search"),
    later("reply"),
    later("react"),
    later("typing"),
    later("typing-notify"),
    later("edit"),
    later("delete"),
    later("send-file"),
    later("download"),
    later("disappear"),
    later("devices"),
    later("recovery"),
    later("export"),
    later("delete-account"),
];

impl Slash {
    /// Whether it can be used already.
    pub(super) fn exists(&self) -> bool {
        !self.help.is_empty()
    }
}

/// The command of that name.
pub(super) fn find(name: &str) -> Option<&'static Slash> {
    SLASH_COMMANDS.iter().find(|slash| slash.name == name)
}

/// One command explained, or all of them.
pub(super) fn help(name: &str) -> Option<String> {
    let name = name.trim_start_matches('/');
    if name.is_empty() {
        let lines: Vec<String> = SLASH_COMMANDS.iter().filter(|slash| slash.exists()).map(line).collect();
        return Some(format!("{TEXT_HELP}\n{}", lines.join("\n")));
    }
    let slash = find(name)?;
    Some(if slash.exists() { line(slash) } else { format!("/{name} is not there yet") })
}

fn line(slash: &Slash) -> String {
    let call = format!("/{} {}", slash.name, slash.usage);
    format!("  {:<38} {}", call.trim_end(), slash.help)
}

const fn slash(name: &'static str, usage: &'static str, help: &'static str) -> Slash {
    Slash { name, usage, help }
}

const fn later(name: &'static str) -> Slash {
    Slash { name, usage: "", help: "" }
}

const TEXT_HELP: &str = "  @name TEXT                             send to a contact, and talk to it from then on
  #group TEXT                            send to a group, and talk there from then on
  TEXT                                   send to the conversation the prompt shows
  //TEXT                                 send a text that begins with a slash
What you sent is marked with ✓, or called delivered, once all recipients have it; /history shows how far the rest is.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_asked_for_is_known() {
        for name in
            "dm create-group invite remove join leave switch list members group-info rename history verify \
                     update-key block unblock mesh whoami help quit"
                .split_whitespace()
        {
            assert!(find(name).is_some_and(Slash::exists), "/{name}");
        }
        for name in
            "search reply react typing typing-notify edit delete send-file download disappear devices \
                     recovery export delete-account"
                .split_whitespace()
        {
            assert!(find(name).is_some_and(|slash| !slash.exists()), "/{name}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = SLASH_COMMANDS.iter().map(|slash| slash.name).collect();
        assert_eq!(names.len(), SLASH_COMMANDS.len());
    }

    #[test]
    fn help_for_one_and_for_all() {
        assert!(help("/dm").unwrap().contains("talk to a contact"));
        assert_eq!(help("search").unwrap(), "/search is not there yet");
        assert_eq!(help("nonsense"), None);
        let all = help("").unwrap();
        assert!(all.contains("/create-group NAME") && !all.contains("/search"), "{all}");
    }
}
