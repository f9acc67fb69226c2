//! A sign-in as its owner sees it, and the access token in it. Never logged: no `Debug`.

use doorbuster_core::claims::Claims;
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::Family;
use crate::accounts::keys::RefreshToken;
use crate::app::App;
use crate::limits::ACCESS_TOKEN_LIFE;
use crate::users::store::User;
use crate::users::view::UserView;

/// A sign-in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// For engines and this back-office: Authorization: Bearer
    #[schema(example = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…")]
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that the access token is good for
    #[schema(example = 900)]
    pub expires_in: u64,
    /// For one refresh
    #[schema(example = "ZsKPRz1sR3y8m1w2o0N9cQAAAAFt0bq3…")]
    pub refresh_token: String,
    /// The sign-in's, as in the list of one's own
    #[schema(format = Uuid)]
    pub session_id: String,
    /// When the sign-in ends at the latest
    #[schema(format = DateTime)]
    pub session_expires_at: String,
    pub user: UserView,
}

/// What `user`, whose tokens are of `generation`, is given.
pub(crate) fn session_view(
    app: &App,
    user: User,
    generation: u64,
    family: &Family,
    token: &RefreshToken,
) -> SessionView {
    let mut claims = Claims::access(
        user.id.clone(),
        user.role.role(),
        clock::now_s(),
        ACCESS_TOKEN_LIFE.as_secs(),
    );
    claims.generation = generation;
    SessionView {
        access_token: app.tokens.sign(&claims),
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_LIFE.as_secs(),
        refresh_token: token.text(),
        session_id: family.family_id.to_string(),
        session_expires_at: clock::rfc3339(clock::to_ms(family.expires_at)),
        user: user.into(),
    }
}
