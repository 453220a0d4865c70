//! Whatever texts come from outside, no page has them as markup.

use onboarding::{RecipeBook, State};

use crate::{data::HOSTILE, looking::pages, markup, place::Place};

#[tokio::test]
async fn hostile_texts_are_shown_and_do_nothing() {
    let mut book = RecipeBook::builtin();
    let mut recipe = book.get(&"elevenlabs".parse().unwrap()).unwrap().clone();
    recipe.title = HOSTILE.to_owned();
    recipe.docs = Some("javascript:alert(1)".to_owned());
    for todo in &mut recipe.todo {
        todo.title = HOSTILE.parse().unwrap();
        todo.detail = HOSTILE.parse().unwrap();
        todo.url = Some("javascript:alert(1)".parse().unwrap());
    }
    for input in recipe.inputs.values_mut() {
        input.description = HOSTILE.to_owned();
    }
    book.add(recipe);
    let place = Place::with(book).await;
    let mut csv = String::from("account,partner,number,key,direction\n");
    for n in 0..6 {
        let account = if n < 4 { "acme" } else { "globex" };
        let key = format!("{n}{HOSTILE}").replace('"', "\"\"");
        csv.push_str(&format!(
            "{account},elevenlabs,+9180{n:08},\"{key}\",both\n"
        ));
    }
    place.accept(HOSTILE, &csv).await;
    let mut claims = place.claim(&["acme"]).await;
    place.fail(&claims[0], HOSTILE).await;
    while claims.len() < 2 {
        claims.extend(place.claim(&["acme"]).await);
    }
    place.succeed(&claims[1]).await;
    place
        .store
        .park_account(&"globex".parse().unwrap(), HOSTILE)
        .await
        .unwrap();
    let done = place.one(State::Succeeded).await;
    place.deliver(Some(done.id), HOSTILE).await;

    let browser = place.writer().await;
    let mut shown = 0;
    for path in pages(&place).await {
        let page = browser.get(&path).await.page();
        if let Err(wrong) = markup::check(&page.text) {
            panic!("{path}: {wrong}\n{}", page.text);
        }
        for harm in ["<script>alert", "<b>&amp;amp;", "href=\"javascript:"] {
            assert!(!page.text.contains(harm), "{path}: {harm}");
        }
        shown += usize::from(page.text.contains("alert(&#39;1&#39;)"));
    }
    assert!(shown > 10, "{shown} pages show the hostile text");
}
