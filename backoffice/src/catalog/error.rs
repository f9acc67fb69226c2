//! Why something of the catalog is refused, and with which HTTP status. Called by `crate::error`, which writes the answer.

use axum::http::StatusCode;

use crate::error::{ApiError, FieldProblem};
use crate::limits::{CART_ITEMS_MAX, CATEGORIES_MAX, CATEGORY_DEPTH_MAX, WISHES_MAX};

/// A refusal in the words of the catalog.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no seller of this id")]
    UnknownSeller,
    #[error("there is no category of this id")]
    UnknownCategory,
    #[error("there is no product of this id")]
    UnknownProduct,
    #[error("there is no notice of this id")]
    UnknownNotice,
    #[error("there is a seller of this id already")]
    SellerExists,
    #[error("there is a category of this id already")]
    CategoryExists,
    #[error("there is a product of this id already")]
    ProductExists,
    #[error("there is a notice of this id already")]
    NoticeExists,
    #[error("another product has the sku {0} already")]
    SkuTaken(String),
    #[error("a sale names the sku {0}, so its product must keep it, in its currency")]
    SkuInUse(String),
    #[error(
        "it has been edited meanwhile and is at version {version} now: read it again, then edit that"
    )]
    VersionConflict { version: u32 },
    #[error("a category cannot be below itself")]
    CategoryCycle,
    #[error("categories may be {CATEGORY_DEPTH_MAX} deep")]
    CategoryTooDeep,
    #[error("there may be {CATEGORIES_MAX} categories")]
    TooManyCategories,
    #[error("it has categories or products below it: move them first")]
    CategoryInUse,
    #[error("some things are missing before it can be published; nothing was changed")]
    Incomplete(Vec<FieldProblem>),
    #[error("a cart may have {CART_ITEMS_MAX} skus")]
    CartFull,
    #[error("a wish list may have {WISHES_MAX} products")]
    WishListFull,
}

impl Refusal {
    pub(crate) fn answer(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::UnknownSeller => (S::NOT_FOUND, "unknown_seller"),
            Self::UnknownCategory => (S::NOT_FOUND, "unknown_category"),
            Self::UnknownProduct => (S::NOT_FOUND, "unknown_product"),
            Self::UnknownNotice => (S::NOT_FOUND, "unknown_notice"),
            Self::SellerExists => (S::CONFLICT, "seller_exists"),
            Self::CategoryExists => (S::CONFLICT, "category_exists"),
            Self::ProductExists => (S::CONFLICT, "product_exists"),
            Self::NoticeExists => (S::CONFLICT, "notice_exists"),
            Self::SkuTaken(_) => (S::CONFLICT, "sku_taken"),
            Self::SkuInUse(_) => (S::CONFLICT, "sku_in_use"),
            Self::VersionConflict { .. } => (S::CONFLICT, "version_conflict"),
            Self::CategoryCycle => (S::CONFLICT, "category_cycle"),
            Self::CategoryTooDeep => (S::CONFLICT, "category_too_deep"),
            Self::TooManyCategories => (S::CONFLICT, "too_many_categories"),
            Self::CategoryInUse => (S::CONFLICT, "category_in_use"),
            Self::Incomplete(_) => (S::CONFLICT, "incomplete"),
            Self::CartFull => (S::CONFLICT, "cart_full"),
            Self::WishListFull => (S::CONFLICT, "wish_list_full"),
        }
    }

    /// The fields that are the matter, where fields are.
    pub(crate) fn errors(self) -> Vec<FieldProblem> {
        match self {
            Self::Incomplete(errors) => errors,
            _ => Vec::new(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Catalog(refusal)
    }
}
