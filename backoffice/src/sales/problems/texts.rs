//! The words for what is wrong with a sale, in English and Korean. Called by `problems`.

use serde::Serialize;
use utoipa::ToSchema;

use super::Text;

/// What is wrong, as one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    WindowOver,
    OpensAtOnce,
    WindowShorterThanHold,
    HoldShort,
    DrawOfNobody,
    NoStock,
    ItemWithoutStock,
    PriceZero,
    NoLimit,
    LimitCoversStock,
    NotScheduled,
    ScheduleFails,
    ScheduledLate,
    NoEngine,
    RedisAway,
    RedisHasIt,
    Recovering,
    WriterStopped,
}

/// Whether it keeps the sale from selling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// It will not sell
    Error,
    /// It may be meant
    Warning,
}

impl Code {
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::WindowOver
            | Self::NoStock
            | Self::ScheduleFails
            | Self::NoEngine
            | Self::RedisAway
            | Self::RedisHasIt
            | Self::Recovering
            | Self::WriterStopped => Severity::Error,
            Self::OpensAtOnce
            | Self::WindowShorterThanHold
            | Self::HoldShort
            | Self::DrawOfNobody
            | Self::ItemWithoutStock
            | Self::PriceZero
            | Self::NoLimit
            | Self::LimitCoversStock
            | Self::NotScheduled
            | Self::ScheduledLate => Severity::Warning,
        }
    }

    pub(crate) fn text(self) -> Text {
        let (en, ko) = match self {
            Self::WindowOver => (
                "The closing time has passed.",
                "종료 시각이 이미 지났습니다.",
            ),
            Self::OpensAtOnce => (
                "The opening time has passed: it sells from the moment you open it.",
                "시작 시각이 지나, 여는 즉시 판매가 시작됩니다.",
            ),
            Self::WindowShorterThanHold => (
                "A hold lasts longer than the whole sale: what is not paid for will not be sold again.",
                "홀드 시간이 판매 시간보다 길어, 결제되지 않은 수량이 다시 팔리지 않습니다.",
            ),
            Self::HoldShort => (
                "A hold lasts less than 30 seconds: many buyers will not finish paying.",
                "홀드 시간이 30초보다 짧아 결제를 마치지 못하는 구매자가 많을 수 있습니다.",
            ),
            Self::DrawOfNobody => (
                "It opens at once, so nobody can join before the opening, and nobody is drawn.",
                "바로 열리므로 시작 전에 줄을 설 수 없고, 추첨할 사람이 없습니다.",
            ),
            Self::NoStock => ("Nothing has any stock.", "모든 상품의 재고가 0입니다."),
            Self::ItemWithoutStock => (
                "This item has no stock, and is sold out from the start.",
                "이 상품은 재고가 없어 처음부터 품절입니다.",
            ),
            Self::PriceZero => ("This item costs nothing.", "이 상품의 가격이 0입니다."),
            Self::NoLimit => (
                "One buyer may take all there is of this item.",
                "한 구매자가 이 상품을 전부 살 수 있습니다.",
            ),
            Self::LimitCoversStock => (
                "The limit per buyer is as much as there is: one buyer may take it all.",
                "1인당 한도가 재고 이상이어서 한 구매자가 전부 살 수 있습니다.",
            ),
            Self::NotScheduled => (
                "It does not open by itself: open it, or schedule it.",
                "자동으로 열리지 않습니다. 직접 열거나 예약하세요.",
            ),
            Self::ScheduleFails => (
                "It was to open by itself and could not; it is being tried again.",
                "예약대로 열지 못했고, 다시 시도하고 있습니다.",
            ),
            Self::ScheduledLate => (
                "It is published only after its opening time.",
                "시작 시각보다 늦게 공개됩니다.",
            ),
            Self::NoEngine => (
                "No engine gives a sign of life: nobody could buy.",
                "작동 중인 엔진이 없어 아무도 구매할 수 없습니다.",
            ),
            Self::RedisAway => ("Redis does not answer.", "Redis가 응답하지 않습니다."),
            Self::RedisHasIt => (
                "Redis has a sale of this id already, which these books do not know: choose another id.",
                "Redis에 같은 ID의 다른 판매가 있습니다. 다른 ID를 쓰세요.",
            ),
            Self::Recovering => (
                "It sells nothing until Redis has been compared with the books.",
                "Redis와 장부의 대조가 끝날 때까지 판매되지 않습니다.",
            ),
            Self::WriterStopped => (
                "The books of this sale stand still: look at its dead letters.",
                "이 판매의 장부 기록이 멈췄습니다. 처리하지 못한 이벤트를 확인하세요.",
            ),
        };
        Text { en, ko }
    }
}
