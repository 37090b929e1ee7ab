//! A Rust file as the rules see it: tokens without comments, and where its functions begin and end.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file.
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
}

/// One token; a delimiter of a group counts as a token.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether it stands in a test: a test file, a `#[test]` function or below `#[cfg(test)]`.
    pub(crate) test: bool,
}

/// A function with a body, however deep it is nested.
pub(crate) struct Function {
    pub(crate) name: String,
    /// From the line of `fn` to that of the closing brace.
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn read(root: &Path, path: &str) -> Result<Self, String> {
        Self::parse(path, &super::walk::read(root, path)?)
    }

    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            format!("{path}:{}: {error}", error.span().start().line)
        })?;
        let mut source = Self { path: path.to_owned(), tokens: Vec::new(), functions: Vec::new() };
        source.level(&stream.into_iter().collect::<Vec<_>>(), is_test_file(path));
        Ok(source)
    }

    /// One level of nesting; `test` says whether an outer one is a test already.
    fn level(&mut self, trees: &[TokenTree], mut test: bool) {
        let outer = test;
        for (index, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => {
                    let attribute = group.delimiter() == Delimiter::Bracket && follows_hash(trees, index);
                    test |= attribute && is_test_attribute(&group.stream());
                    self.group(group, test);
                    if group.delimiter() == Delimiter::Brace {
                        test = outer;
                    }
                }
                TokenTree::Punct(punct) => {
                    self.push(punct.as_char().to_string(), tree, test);
                    if punct.as_char() == ';' {
                        test = outer;
                    }
                }
                TokenTree::Ident(word) => {
                    if word == "fn" {
                        self.function(trees, index);
                    }
                    self.push(word.to_string(), tree, test);
                }
                TokenTree::Literal(literal) => self.push(literal.to_string(), tree, test),
            }
        }
    }

    fn group(&mut self, group: &proc_macro2::Group, test: bool) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let line = group.span_open().start().line;
        self.tokens.push(Token { text: open.to_owned(), line, test });
        self.level(&group.stream().into_iter().collect::<Vec<_>>(), test);
        let line = group.span_close().start().line;
        self.tokens.push(Token { text: close.to_owned(), line, test });
    }

    fn push(&mut self, text: String, tree: &TokenTree, test: bool) {
        self.tokens.push(Token { text, line: tree.span().start().line, test });
    }

    /// Notes the function whose `fn` stands at `index`, unless it is a type or has no body.
    fn function(&mut self, trees: &[TokenTree], index: usize) {
        let Some(TokenTree::Ident(name)) = trees.get(index + 1) else { return };
        let line = trees[index].span().start().line;
        for tree in &trees[index + 2..] {
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let lines = group.span_close().end().line - line + 1;
                    self.functions.push(Function { name: name.to_string(), lines });
                    return;
                }
                _ => {}
            }
        }
    }

    /// The files in which `#[cfg(test)] mod name;` places this file's test modules.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let folder = match file.strip_suffix(".rs") {
            None | Some("lib" | "main" | "mod") => folder.to_owned(),
            Some(name) => format!("{folder}/{name}"),
        };
        let modules = self
            .tokens
            .windows(3)
            .filter(|window| window[0].test && window[0].text == "mod" && window[2].text == ";");
        modules
            .map(|window| &window[1].text)
            .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")])
            .collect()
    }

    /// Makes all of it test code.
    pub(crate) fn mark_as_test(&mut self) {
        self.tokens.iter_mut().for_each(|token| token.test = true);
    }

    /// The first tokens of each place where `pattern` stands, token by token.
    pub(crate) fn find<'a>(&'a self, pattern: &'a [&str]) -> impl Iterator<Item = &'a Token> {
        self.tokens
            .windows(pattern.len())
            .filter(move |window| window.iter().zip(pattern).all(|(token, word)| token.text == *word))
            .map(|window| &window[0])
    }
}

/// Whether all of a file is test code by its place in the tree.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests" || part == "benches")
}

fn follows_hash(trees: &[TokenTree], index: usize) -> bool {
    let is = |at: usize, mark: char| matches!(&trees[at], TokenTree::Punct(punct) if punct.as_char() == mark);
    (index >= 1 && is(index - 1, '#')) || (index >= 2 && is(index - 1, '!') && is(index - 2, '#'))
}

/// `test`, `tokio::test` and the like, or `cfg` of something that needs `test`.
fn is_test_attribute(stream: &TokenStream) -> bool {
    let text = stream.to_string().replace(' ', "");
    let path = text.split('(').next().unwrap_or_default();
    path.rsplit("::").next() == Some("test")
        || (path == "cfg" && !text.contains("not(") && text.split(['(', ')', ',']).any(|word| word == "test"))
}

#[cfg(test)]
mod tests {
    use crate::tidy::tree::source;

    fn tests_of(text: &str) -> Vec<String> {
        let source = source("src/lib.rs", text);
        let names = source.tokens.iter().filter(|token| token.test && token.text.len() > 3);
        names.map(|token| token.text.clone()).collect()
    }

    #[test]
    fn test_code_ends_where_its_item_ends() {
        assert_eq!(tests_of("#[test] fn first() {} fn second() {}"), ["test", "first"]);
        assert_eq!(tests_of("#[cfg(test)] mod tests; fn second() {}"), ["test", "tests"]);
        assert_eq!(tests_of("#[tokio::test(flavor = 1)] async fn one() {}")[3..], ["async"]);
        assert!(tests_of("#[cfg(not(test))] fn shipped() {}").is_empty());
        assert!(tests_of("#[cfg(unix)] fn shipped() {}").is_empty());
    }

    #[test]
    fn test_modules_are_found_in_their_files() {
        let files = |path| source(path, "#[cfg(test)] mod tree; mod shipped;").test_modules();
        assert_eq!(files("src/lib.rs"), ["src/tree.rs", "src/tree/mod.rs"]);
        assert_eq!(files("src/outbox.rs"), ["src/outbox/tree.rs", "src/outbox/tree/mod.rs"]);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "// x.unwrap()\n/// x.unwrap()\nfn f() { \"x.unwrap()\"; }";
        assert_eq!(source("src/lib.rs", text).find(&[".", "unwrap"]).count(), 0);
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let text = "trait T { fn declared(); }\n#[inline]\nfn f(\n    g: fn(u8),\n) {\n}\n";
        let source = source("src/lib.rs", text);
        let found: Vec<_> = source.functions.iter().map(|f| (f.name.as_str(), f.lines)).collect();
        assert_eq!(found, [("f", 4)]);
    }
}
