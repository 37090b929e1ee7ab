use fanfare_protocol::ErrorCode;

use super::operations::routes;
use super::{openapi, pages};

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let document = openapi::document();
    let mut listed: Vec<String> = document.paths.paths.keys().cloned().collect();
    let mut served: Vec<String> = routes().iter().map(super::Route::path).collect();
    served.extend(pages::PAGES.iter().map(|(path, _)| (*path).to_owned()));
    assert_eq!(document.servers.as_ref().unwrap()[0].url, "/", "where to send requests");
    listed.sort();
    served.sort();
    assert_eq!(listed, served);
    for route in routes() {
        let item = &document.paths.paths[&route.path()];
        assert_eq!((item.post.is_some(), item.get.is_some()), (true, route.get), "{}", route.name);
    }
}

#[test]
fn the_page_about_the_api_lists_every_operation_and_only_real_codes() {
    let page = include_str!("../../../../docs/http-api.md");
    let (operations, errors) = page.split_once("## Errors").unwrap();
    for route in routes() {
        let method = if route.get { " (GET) |" } else { "" };
        assert!(operations.contains(&format!("`{}`{method}", route.name)), "{} is not there", route.name);
    }
    let rows: Vec<Vec<&str>> = errors.lines().map(|line| line.split('|').collect()).collect();
    let mut codes = 0;
    for row in rows.iter().filter(|row| row.len() == 5 && row[2].contains('`')) {
        for name in row[2].split('`').filter(|name| name.contains('_') || name.len() > 3) {
            let code = ErrorCode::ALL.iter().find(|code| code.as_str() == name);
            assert_eq!(
                code.map(|code| code.http_status().to_string()).as_deref(),
                Some(row[1].trim()),
                "{name}"
            );
            codes += 1;
        }
    }
    assert!(codes > 15, "{codes}");
}
