//! A user's list of his sign-ins, and the end of one of them.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::people::{Person, Session};
use crate::stage::{Desk, eventually};

const MINE: &str = "/v1/me/sessions";

/// Signs in as a browser that says this of itself; the sign-in and its id.
async fn sign_in_with(desk: &Desk<'_>, person: &Person, said: &str) -> (Session, String) {
    let call = person
        .call(desk, "POST", "/v1/sessions")
        .header("user-agent", said);
    let body = json!({"email": person.email, "password": person.password});
    let answer = call.json(&body).send().await.ok(201);
    let id = answer["session_id"].as_str().unwrap().to_owned();
    (Session::of(&answer), id)
}

async fn list(desk: &Desk<'_>, session: &Session) -> Vec<Value> {
    let call = desk.call("GET", MINE).token(&session.access);
    call.send().await.ok(200)["sessions"]
        .as_array()
        .unwrap()
        .clone()
}

async fn end(desk: &Desk<'_>, session: &Session, id: &str) -> Answer {
    let call = desk.call("DELETE", &format!("{MINE}/{id}"));
    call.token(&session.access).send().await
}

#[tokio::test]
async fn a_user_sees_his_sign_ins_by_the_kind_of_program_and_when_each_was_used() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (phone, phone_id) = sign_in_with(
        &desk,
        &ann,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    )
    .await;
    let (laptop, laptop_id) = sign_in_with(&desk, &ann, "curl/8.5.0").await;
    let (bob, _) = Person::with_account(&desk, "bob").await;
    bob.sign_in(&desk).await;

    let sessions = list(&desk, &laptop).await;
    let told: Vec<(&str, &Value)> = sessions
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), &one["agent"]))
        .collect();
    let agents = [
        json!({"program": "curl", "platform": "other"}),
        json!({"program": "safari", "platform": "ios"}),
    ];
    assert_eq!(
        told,
        [
            (laptop_id.as_str(), &agents[0]),
            (phone_id.as_str(), &agents[1])
        ]
    );
    assert_eq!(sessions[0]["created_at"], sessions[0]["last_used_at"]);

    let phone = Session::of(&ann.refresh(&desk, &phone.refresh).await.ok(200));
    let sessions = list(&desk, &phone).await;
    assert_eq!(sessions[0]["id"], phone_id, "the one used last is first");
    let at = |member: &str| sessions[0][member].as_str().unwrap().to_owned();
    assert!(at("created_at") < at("last_used_at") && at("last_used_at") < at("expires_at"));

    desk.sql(
        "update refresh_families set refreshed_at = now(6) - interval 15 day where generation = 1 and user_id = (select user_id from users where email = ?)",
        &ann.email,
    )
    .await;
    assert_eq!(list(&desk, &phone).await.len(), 1, "the other is over");
}

#[tokio::test]
async fn one_sign_in_is_ended_everywhere_and_nobody_elses() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let (stolen, stolen_id) = sign_in_with(&desk, &ann, "Firefox on Linux").await;
    let (mine, mine_id) = sign_in_with(&desk, &ann, "Firefox on Windows").await;
    let (bob, _) = Person::with_account(&desk, "bob").await;
    let (bobs, bobs_id) = sign_in_with(&desk, &bob, "").await;

    for nothing in [
        bobs_id.as_str(),
        "1",
        "00000000-0000-0000-0000-000000000000",
    ] {
        let answer = end(&desk, &mine, nothing).await;
        assert_eq!(answer.refusal(), (404, "unknown_session"), "{nothing}");
    }
    end(&desk, &mine, &stolen_id).await.ok(204);
    eventually(async || (!stolen.is_let_in_by_engine(&desk).await).then_some(())).await;
    assert!(!stolen.is_let_in(&desk).await);
    let refreshed = ann.refresh(&desk, &stolen.refresh).await;
    assert_eq!(refreshed.refusal(), (401, "session_ended"));

    let mine = Session::of(&ann.refresh(&desk, &mine.refresh).await.ok(200));
    end(&desk, &mine, &stolen_id).await.ok(204);
    assert!(mine.is_let_in(&desk).await, "a repeat ends nothing more");
    let left = list(&desk, &mine).await;
    assert!(left.len() == 1 && left[0]["id"] == mine_id, "{left:?}");
    let ends = desk.audit(&format!("user:{id}")).await;
    let ends: Vec<&Value> = ends
        .iter()
        .filter(|(actor, action, ..)| *actor == id && action == "session.end")
        .map(|(.., after)| &after["family"])
        .collect();
    assert_eq!(ends, [&json!(stolen_id)]);
    assert!(bobs.is_let_in(&desk).await && list(&desk, &bobs).await.len() == 1);
}
