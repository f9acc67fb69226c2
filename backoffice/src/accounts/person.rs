//! The words in which the books speak of people: roles and states.

use doorbuster_core::claims::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Active,
    /// May not sign in; staff may give it back.
    Deactivated,
    /// Nothing of the person is left but an id that the books know.
    Erased,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Erased => "erased",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Deactivated, Self::Erased]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// The roles as the API knows them; those of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleWord {
    Buyer,
    Operator,
    Finance,
    Admin,
}

impl RoleWord {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Operator => "operator",
            Self::Finance => "finance",
            Self::Admin => "admin",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Buyer, Self::Operator, Self::Finance, Self::Admin]
            .into_iter()
            .find(|role| role.word() == word)
    }

    pub(crate) fn role(self) -> Role {
        match self {
            Self::Buyer => Role::Buyer,
            Self::Operator => Role::Operator,
            Self::Finance => Role::Finance,
            Self::Admin => Role::Admin,
        }
    }
}
