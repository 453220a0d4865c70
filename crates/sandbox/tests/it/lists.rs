//! Paging.

use serde_json::Value;

use crate::harness::field;

#[tokio::test]
async fn following_the_next_page_finds_each_of_120_trunks_once() {
    let world = field().await;
    for n in 0..120 {
        world.trunk(&format!("trunk_{n}")).await;
    }
    let (mut names, mut sizes) = (Vec::new(), Vec::new());
    let mut next = Some("/v2/accounts/acme1/trunks".to_owned());
    while let Some(path) = next {
        let page = world.get(&path).await.json();
        let items = page["response"].as_array().unwrap();
        sizes.push(items.len());
        names.extend(
            items
                .iter()
                .map(|i| i["data"]["trunk_name"].as_str().unwrap().to_owned()),
        );
        assert_eq!(page["metadata"]["page_size"], 50);
        let first = "/v2/accounts/acme1/trunks?offset=0&page_size=50";
        assert_eq!(page["metadata"]["first_page_uri"], first);
        assert_eq!(
            page["metadata"]["prev_page_uri"].is_null(),
            sizes.len() == 1
        );
        next = page["metadata"]["next_page_uri"]
            .as_str()
            .map(str::to_owned);
    }
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(
        (names[0].as_str(), names[119].as_str()),
        ("trunk_119", "trunk_0")
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 120);
}

#[tokio::test]
async fn offset_and_page_size_are_kept_to() {
    let world = field().await;
    for n in 0..5 {
        world.trunk(&format!("trunk_{n}")).await;
    }
    // Query, trunks on the page, previous and next offset.
    let table: [(&str, usize, Option<u64>, Option<u64>); 6] = [
        ("offset=0&page_size=2", 2, None, Some(2)),
        ("offset=2&page_size=2", 2, Some(0), Some(4)),
        ("offset=4&page_size=2", 1, Some(2), None),
        ("offset=1&page_size=2", 2, Some(0), Some(3)),
        ("offset=9&page_size=2", 0, Some(7), None),
        ("page_size=5", 5, None, None),
    ];
    for (query, count, previous, next) in table {
        let page = world.get(&format!("trunks?{query}")).await.json();
        assert_eq!(page["response"].as_array().unwrap().len(), count, "{query}");
        let offset = |value: &Value| {
            let uri = value.as_str()?;
            uri.split_once("offset=")?
                .1
                .split('&')
                .next()?
                .parse::<u64>()
                .ok()
        };
        assert_eq!(
            offset(&page["metadata"]["prev_page_uri"]),
            previous,
            "{query}"
        );
        assert_eq!(offset(&page["metadata"]["next_page_uri"]), next, "{query}");
    }
    for query in ["offset=x", "offset=-1", "page_size=0", "page_size="] {
        let got = world.get(&format!("trunks?{query}")).await;
        assert_eq!(got.codes(), [400, 400, 400, 1002], "{query}");
    }
    let wide = world.get("trunks?page_size=5000").await.json();
    assert_eq!(wide["metadata"]["page_size"], 100);
}

#[tokio::test]
async fn a_list_can_be_asked_for_one_trunk() {
    let world = field().await;
    world.trunk("one").await;
    let two = world.trunk("two").await;
    let sid = two.strip_prefix("trunks/").unwrap();
    let found = world.get(&format!("trunks?trunk_sid={sid}")).await.json();
    assert_eq!(found["response"].as_array().unwrap().len(), 1);
    assert_eq!(found["response"][0]["data"]["trunk_name"], "two");
    let none = world.get("trunks?trunk_sid=trmum1unknown").await.json();
    assert_eq!(none["response"], serde_json::json!([]));
}
