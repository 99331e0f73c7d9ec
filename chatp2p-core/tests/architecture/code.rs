//! Rust as the rules read it: the words of a file in order, without comments, doc comments, texts and unit tests.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The words of a file. Brackets are words too, so that a path is told from its neighbours.
pub(crate) fn words(text: &str) -> Vec<String> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("this is not Rust: {error}"));
    let mut words = Vec::new();
    collect(tokens, &mut words);
    words
}

fn collect(tokens: TokenStream, words: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // `#![…]` of a file and `#[…]` of an item.
                if matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '!') {
                    tokens.next();
                }
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let mut inside = Vec::new();
                collect(attribute.stream(), &mut inside);
                match inside.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["doc", ..] => {}
                    ["cfg", "(", "test", ")"] => skip_item(&mut tokens),
                    _ => words.append(&mut inside),
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                collect(group.stream(), words);
                words.push(close.to_owned());
            }
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Punct(punct) => words.push(punct.as_char().to_string()),
            // A text says nothing about what the code does.
            TokenTree::Literal(_) => {}
        }
    }
}

/// Up to the end of the item that follows: its body or its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// What is named of this crate: the module after each `crate::`, groups included.
pub(crate) fn modules_named(words: &[String]) -> Vec<String> {
    let mut named = Vec::new();
    for at in 0..words.len() {
        if words[at] != "crate" || words.get(at + 1).map(String::as_str) != Some(":") {
            continue;
        }
        let Some(first) = words.get(at + 3) else { continue };
        // A macro is exported at the root, wherever it is written.
        if words.get(at + 4).map(String::as_str) == Some("!") {
            continue;
        }
        if first != "{" {
            named.push(first.clone());
            continue;
        }
        let mut depth = 0;
        let mut starts = true;
        for word in &words[at + 3..] {
            match word.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," => starts = depth == 1,
                name if starts && depth == 1 => {
                    named.push(name.to_owned());
                    starts = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    named
}

/// The dependencies that a manifest names, each with the table it stands in and everything that is said about it.
pub(crate) fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut table = String::new();
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            header.clone_into(&mut table);
            // `[dependencies.name]`
            if let Some((above, name)) = header.rsplit_once('.')
                && above.ends_with("dependencies")
            {
                found.push((above.to_owned(), name.to_owned()));
            }
        } else if table.contains("dependencies") && line.contains('=') {
            found.push((table.clone(), line.to_owned()));
        }
    }
    found
}
