//! Names of sellers, categories, products and notices, chosen by staff, and the extractors that take them from a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use doorbuster_core::ids::{IdError, SaleId, SkuId};

use super::error::Refusal;
use crate::error::ApiError;

/// An id that a path may name.
pub(crate) trait Named: Sized {
    /// # Errors
    /// [`IdError::Name`] where the text is outside the contract's alphabet.
    fn parse(text: String) -> Result<Self, IdError>;

    /// What the client is told where nothing has this name.
    fn unknown() -> ApiError;
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $unknown:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $type(String);

        impl $type {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Named for $type {
            fn parse(text: String) -> Result<Self, IdError> {
                // The alphabet and the length of all ids of the contract.
                match SkuId::parse(text) {
                    Ok(name) => Ok(Self(name.into())),
                    Err(IdError::Name { max, .. }) => Err(IdError::Name { what: $what, max }),
                    Err(other) => Err(other),
                }
            }

            fn unknown() -> ApiError {
                $unknown.into()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Who sells a product.
    SellerId, "a seller id", Refusal::UnknownSeller
);
name!(
    /// A branch of the tree of categories.
    CategoryId, "a category id", Refusal::UnknownCategory
);
name!(
    /// A product: what a shopper looks at; its skus are what is sold.
    ProductId, "a product id", Refusal::UnknownProduct
);
name!(
    /// A notice to all shoppers.
    NoticeId, "a notice id", Refusal::UnknownNotice
);

impl Named for SkuId {
    fn parse(text: String) -> Result<Self, IdError> {
        Self::parse(text)
    }

    fn unknown() -> ApiError {
        ApiError::UnknownSku
    }
}

impl Named for SaleId {
    fn parse(text: String) -> Result<Self, IdError> {
        Self::parse(text)
    }

    fn unknown() -> ApiError {
        ApiError::UnknownSale
    }
}

/// The thing that the path names.
#[derive(Debug)]
pub(crate) struct IdPath<T>(pub T);

impl<S: Send + Sync, T: Named> FromRequestParts<S> for IdPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| T::unknown())?;
        T::parse(id).map(Self).map_err(|_| T::unknown())
    }
}
