use super::operations::routes;
use super::{openapi, pages};

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let document = openapi::document();
    let mut listed: Vec<String> = document.paths.paths.keys().cloned().collect();
    let mut served: Vec<String> = routes().iter().map(super::Route::path).collect();
    served.extend(pages::PAGES.iter().map(|(path, _)| (*path).to_owned()));
    listed.sort();
    served.sort();
    assert_eq!(listed, served);
    for route in routes() {
        let item = &document.paths.paths[&route.path()];
        assert_eq!((item.post.is_some(), item.get.is_some()), (true, route.get), "{}", route.name);
    }
}
