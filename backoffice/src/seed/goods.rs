//! A believable catalog, made up from word lists: the same for the same number, and any number of products. Pure. Called by `seed`.

use doorbuster_core::ids::SkuId;
use doorbuster_core::money::{Currency, Money};

use crate::catalog::ids::{CategoryId, Named as _, SellerId};
use crate::catalog::products::draft::{Choice, Product, Sku};
use crate::catalog::products::images::Image;
use crate::catalog::text::Text;

/// id, Korean, English.
pub(crate) type Named3 = (&'static str, &'static str, &'static str);

pub(crate) const SELLERS: [Named3; 6] = [
    ("maru", "마루 공방", "Maru Studio"),
    ("hanok-home", "한옥 생활", "Hanok Home"),
    ("byul-audio", "별 오디오", "Byul Audio"),
    ("san-outdoor", "산 아웃도어", "San Outdoor"),
    ("dalbit-wear", "달빛 의류", "Dalbit Wear"),
    ("haru-stationery", "하루 문구", "Haru Stationery"),
];

/// id, parent, Korean, English.
pub(crate) const CATEGORIES: [(&str, Option<&str>, &str, &str); 14] = [
    ("home", None, "생활", "Home"),
    ("kitchen", Some("home"), "주방", "Kitchen"),
    ("mugs", Some("kitchen"), "머그컵", "Mugs"),
    ("kettles", Some("kitchen"), "주전자", "Kettles"),
    ("bedding", Some("home"), "침구", "Bedding"),
    ("electronics", None, "전자제품", "Electronics"),
    ("audio", Some("electronics"), "음향", "Audio"),
    ("outdoor", None, "아웃도어", "Outdoor"),
    ("camping", Some("outdoor"), "캠핑", "Camping"),
    ("fashion", None, "패션", "Fashion"),
    ("tops", Some("fashion"), "상의", "Tops"),
    ("bags", Some("fashion"), "가방", "Bags"),
    ("stationery", None, "문구", "Stationery"),
    ("notebooks", Some("stationery"), "노트", "Notebooks"),
];

/// What is sold: Korean, English, category, seller, options, price of the plainest in won.
type Thing = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Options,
    i64,
);

#[derive(Clone, Copy)]
enum Options {
    None,
    Sizes,
    Colours,
}

const THINGS: [Thing; 20] = [
    ("머그컵", "mug", "mugs", "maru", Options::Colours, 18_000),
    ("찻잔", "teacup", "mugs", "maru", Options::None, 22_000),
    (
        "텀블러",
        "tumbler",
        "mugs",
        "hanok-home",
        Options::Colours,
        31_000,
    ),
    (
        "전기주전자",
        "electric kettle",
        "kettles",
        "hanok-home",
        Options::Colours,
        64_000,
    ),
    (
        "드립 주전자",
        "pour-over kettle",
        "kettles",
        "maru",
        Options::None,
        49_000,
    ),
    (
        "이불",
        "duvet",
        "bedding",
        "hanok-home",
        Options::Sizes,
        129_000,
    ),
    (
        "베개",
        "pillow",
        "bedding",
        "hanok-home",
        Options::Sizes,
        39_000,
    ),
    (
        "무선 이어폰",
        "wireless earbuds",
        "audio",
        "byul-audio",
        Options::Colours,
        159_000,
    ),
    (
        "헤드폰",
        "headphones",
        "audio",
        "byul-audio",
        Options::Colours,
        219_000,
    ),
    (
        "스피커",
        "speaker",
        "audio",
        "byul-audio",
        Options::None,
        99_000,
    ),
    (
        "텐트",
        "tent",
        "camping",
        "san-outdoor",
        Options::Sizes,
        289_000,
    ),
    (
        "침낭",
        "sleeping bag",
        "camping",
        "san-outdoor",
        Options::Sizes,
        119_000,
    ),
    (
        "접이식 의자",
        "folding chair",
        "camping",
        "san-outdoor",
        Options::Colours,
        45_000,
    ),
    (
        "랜턴",
        "lantern",
        "camping",
        "san-outdoor",
        Options::None,
        38_000,
    ),
    (
        "반팔 티셔츠",
        "t-shirt",
        "tops",
        "dalbit-wear",
        Options::Sizes,
        29_000,
    ),
    (
        "후드 집업",
        "zip hoodie",
        "tops",
        "dalbit-wear",
        Options::Sizes,
        69_000,
    ),
    (
        "에코백",
        "tote bag",
        "bags",
        "dalbit-wear",
        Options::Colours,
        24_000,
    ),
    (
        "백팩",
        "backpack",
        "bags",
        "dalbit-wear",
        Options::Colours,
        89_000,
    ),
    (
        "줄 노트",
        "lined notebook",
        "notebooks",
        "haru-stationery",
        Options::Colours,
        7_000,
    ),
    (
        "다이어리",
        "diary",
        "notebooks",
        "haru-stationery",
        Options::None,
        17_000,
    ),
];

const MANNERS: [(&str, &str); 24] = [
    ("달항아리", "Moon Jar"),
    ("새벽", "Daybreak"),
    ("소나무", "Pine"),
    ("제주 바다", "Jeju Sea"),
    ("첫눈", "First Snow"),
    ("한강", "Han River"),
    ("수제", "Handmade"),
    ("북촌", "Bukchon"),
    ("가벼운", "Feather"),
    ("튼튼한", "Sturdy"),
    ("조용한", "Quiet"),
    ("따뜻한", "Warm"),
    ("한정판", "Limited"),
    ("클래식", "Classic"),
    ("설악", "Seorak"),
    ("벚꽃", "Cherry Blossom"),
    ("단풍", "Maple"),
    ("은하수", "Milky Way"),
    ("온돌", "Ondol"),
    ("골목", "Alley"),
    ("윤슬", "Glimmer"),
    ("여행자", "Traveller"),
    ("작은 숲", "Little Forest"),
    ("보름달", "Full Moon"),
];

const COLOURS: [(&str, &str); 3] = [("흰색", "White"), ("먹색", "Ink"), ("청자색", "Celadon")];
const SIZES: [(&str, &str); 3] = [("소", "S"), ("중", "M"), ("대", "L")];

pub(crate) fn text(ko: &str, en: &str) -> Text {
    Text {
        ko: ko.to_owned(),
        en: en.to_owned(),
    }
}

/// The id of the `i`th product.
pub(crate) fn product_id(i: usize) -> String {
    let (_, en, ..) = THINGS[i % THINGS.len()];
    format!("{}-{i}", en.replace(' ', "-"))
}

/// The `i`th product.
pub(crate) fn product(i: usize) -> Product {
    let (ko, en, category, seller, options, base) = THINGS[i % THINGS.len()];
    let (manner_ko, manner_en) = MANNERS[i / THINGS.len() % MANNERS.len()];
    // Beyond all combinations there are series.
    let series = i / (THINGS.len() * MANNERS.len());
    let number = if series == 0 {
        String::new()
    } else {
        format!(" {}", series + 1)
    };
    let title = Text {
        ko: format!("{manner_ko} {ko}{number}"),
        en: format!("{manner_en} {en}{number}"),
    };
    let description = Text {
        ko: format!("{manner_ko}에서 이름을 딴 {ko}입니다. 주문 후 이틀 안에 보내 드립니다."),
        en: format!("A {en} named after {manner_en}. Sent within two days of your order."),
    };
    let id = product_id(i);
    // Spread, and round as prices are.
    let price = base + i64::try_from(i * 7_919 % 41).unwrap_or(0) * 500;
    let (choice, values) = match options {
        Options::None => (None, &[][..]),
        Options::Sizes => (Some(text("크기", "Size")), &SIZES[..]),
        Options::Colours => (Some(text("색", "Colour")), &COLOURS[..]),
    };
    let skus = match values.len() {
        0 => vec![sku(&id, Vec::new(), price)],
        n => (0..n)
            .map(|v| {
                sku(
                    &format!("{id}-{v}"),
                    vec![v],
                    price + i64::try_from(v).unwrap_or(0) * 1_000,
                )
            })
            .collect(),
    };
    let options = choice.map(|name| Choice {
        name,
        values: values.iter().map(|(ko, en)| text(ko, en)).collect(),
    });
    let alt = title.clone();
    Product {
        seller: SellerId::parse(seller.to_owned()).expect("a name of the list is a name"),
        category: CategoryId::parse(category.to_owned()).expect("a name of the list is a name"),
        keywords: vec![manner_ko.to_owned(), category.to_owned()],
        images: vec![Image {
            url: format!("https://images.example.com/{id}.jpg"),
            alt,
        }],
        title,
        description,
        options: options.into_iter().collect(),
        skus,
    }
}

fn sku(name: &str, choices: Vec<usize>, amount: i64) -> Sku {
    let currency = Currency::parse("KRW").expect("KRW is three capital letters");
    Sku {
        sku: SkuId::parse(name).expect("letters, digits and hyphens are a sku"),
        choices,
        price: Money { amount, currency },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_product_could_be_published_and_no_two_are_the_same() {
        let (mut ids, mut skus) = (HashSet::new(), HashSet::new());
        for i in 0..2_000 {
            let product = product(i);
            assert!(product.missing().none().is_ok(), "{i}");
            assert!(ids.insert(product_id(i)), "{i}");
            assert!(
                product.skus.iter().all(|sku| skus.insert(sku.sku.clone())),
                "{i}"
            );
            assert!(
                SELLERS
                    .iter()
                    .any(|(id, ..)| *id == product.seller.as_str())
            );
            assert!(
                CATEGORIES
                    .iter()
                    .any(|(id, ..)| *id == product.category.as_str())
            );
        }
    }
}
