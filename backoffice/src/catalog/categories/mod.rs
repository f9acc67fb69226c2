//! The tree of categories, as staff keep it. Handlers only parse, call and answer; `tree` says where a category may stand.

pub(crate) mod store;
pub(crate) mod tree;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::error::Refusal;
use super::ids::{CategoryId, IdPath, Named as _};
use super::text::{Text, checked, new_id, seen_version};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, StrictJson};
use crate::limits::{CATEGORIES_MAX, POSITION_MAX};
use crate::shop::cache::{self, Name};
use crate::validate::Problems;

/// A category to be written down, or as it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "mugs", "parent": "kitchen", "title": {"ko": "머그컵", "en": "Mugs"}, "position": 0}))]
pub(crate) struct CategoryDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; needed in a POST
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// Needed in a PUT: the one that was read
    pub version: Option<u32>,
    /// The category above; absent: at the top
    pub parent: Option<String>,
    pub title: Text,
    /// Order among those of one parent
    #[schema(minimum = 0, maximum = 1_000_000)]
    #[serde(default)]
    pub position: i64,
}

/// A category that may be kept, if the tree agrees.
#[derive(Debug, Serialize)]
pub(crate) struct Category {
    pub(crate) parent: Option<String>,
    pub(crate) title: Text,
    pub(crate) position: u32,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoryView {
    #[schema(example = "mugs")]
    pub id: String,
    #[schema(example = "kitchen")]
    pub parent: Option<String>,
    pub title: Text,
    #[schema(example = 0)]
    pub position: u32,
    #[schema(example = 1)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Every category there is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoriesView {
    pub categories: Vec<CategoryView>,
}

impl CategoryDraft {
    fn validate(self, problems: &mut Problems) -> Option<Category> {
        let parent = self
            .parent
            .map(|parent| problems.parsed("/parent", CategoryId::parse(parent)));
        let title = self.title.title(problems, "/title");
        let position = problems.number("/position", self.position, 0..=POSITION_MAX);
        let parent = match parent {
            Some(parsed) => Some(parsed?.as_str().to_owned()),
            None => None,
        };
        Some(Category {
            parent,
            title: title?,
            position: position?,
        })
    }
}

/// Writes a category down
#[utoipa::path(post, path = "/admin/v1/categories", tag = "catalog", request_body = CategoryDraft, security(("token" = [])), responses(
    (status = 201, description = "Location names it", body = CategoryView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_category: the parent", body = Problem),
    (status = 409, description = "category_exists, category_too_deep, too_many_categories", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(mut draft): StrictJson<CategoryDraft>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let id = new_id::<CategoryId>(&mut problems, draft.id.take(), draft.version);
    let category = draft.validate(&mut problems);
    let (id, category) = checked(problems, id.zip(category))?;
    let mut tx = app.books.begin().await?;
    // From here on changes come one after the other: two moves at once could make a cycle that neither sees.
    let seen_from = cache::store::raise(&mut tx, cache::store::CATEGORIES).await?;
    let tree = store::tree(&mut *tx).await?;
    if tree.len() >= CATEGORIES_MAX {
        return Err(Refusal::TooManyCategories.into());
    }
    tree.place(id.as_str(), category.parent.as_deref())?;
    store::insert(&mut tx, &id, &category).await?;
    let change = Change {
        action: "category.create",
        subject: subject(&id),
        before: None,
        after: Some(json!(category)),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Categories, seen_from).await;
    let view = store::find(&app.books, &id).await?;
    Ok(created(&format!("/admin/v1/categories/{id}"), view))
}

/// Every category
#[utoipa::path(get, path = "/admin/v1/categories", tag = "catalog", security(("token" = [])), responses(
    (status = 200, body = CategoriesView)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<CategoriesView>, ApiError> {
    let categories = store::all(&app.books).await?;
    Ok(Json(CategoriesView { categories }))
}

/// A category
#[utoipa::path(get, path = "/admin/v1/categories/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = CategoryView),
    (status = 404, description = "unknown_category", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    IdPath(id): IdPath<CategoryId>,
) -> Result<Json<CategoryView>, ApiError> {
    store::find(&app.books, &id).await.map(Json)
}

/// Edits a category, or moves it with all that is below it
#[utoipa::path(put, path = "/admin/v1/categories/{id}", tag = "catalog", request_body = CategoryDraft, params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = CategoryView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_category: it, or the parent", body = Problem),
    (status = 409, description = "version_conflict, category_cycle, category_too_deep", body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<CategoryId>,
    StrictJson(draft): StrictJson<CategoryDraft>,
) -> Result<Json<CategoryView>, ApiError> {
    let mut problems = Problems::default();
    let version = seen_version(
        &mut problems,
        id.as_str(),
        draft.id.as_deref(),
        draft.version,
    );
    let category = draft.validate(&mut problems);
    let (version, category) = checked(problems, version.zip(category))?;
    let mut tx = app.books.begin().await?;
    // From here on changes come one after the other: two moves at once could make a cycle that neither sees.
    let seen_from = cache::store::raise(&mut tx, cache::store::CATEGORIES).await?;
    let tree = store::tree(&mut *tx).await?;
    let before = store::before(&mut tx, &id, version).await?;
    tree.place(id.as_str(), category.parent.as_deref())?;
    store::update(&mut tx, &id, &category).await?;
    let change = Change {
        action: "category.update",
        subject: subject(&id),
        before: Some(json!(before)),
        after: Some(json!(category)),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Categories, seen_from).await;
    store::find(&app.books, &id).await.map(Json)
}

/// Takes a category away that has nothing below it
#[utoipa::path(delete, path = "/admin/v1/categories/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "As it was", body = CategoryView),
    (status = 404, description = "unknown_category", body = Problem),
    (status = 409, description = "category_in_use", body = Problem)))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<CategoryId>,
) -> Result<Json<CategoryView>, ApiError> {
    let view = store::find(&app.books, &id).await?;
    let mut tx = app.books.begin().await?;
    let seen_from = cache::store::raise(&mut tx, cache::store::CATEGORIES).await?;
    store::delete(&mut tx, &id).await?;
    let change = Change {
        action: "category.delete",
        subject: subject(&id),
        before: Some(
            json!({"parent": view.parent, "title": view.title, "position": view.position}),
        ),
        after: None,
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Categories, seen_from).await;
    Ok(Json(view))
}

fn subject(id: &CategoryId) -> String {
    format!("category:{id}")
}
