//! The tables of the rivals in MySQL: made, emptied for a round, and counted after it. Called by `shop`,
//! `combined` and `write_back`.
//!
//! They hold one sale of one sku at a time, under whatever names it is asked for, and the ways that sell from MySQL share
//! them. An order's id is cut from sale, user and key, and unique: so no key can have two orders, however a way goes wrong
//! otherwise.

use anyhow::{Context, Result};
use sqlx::migrate::MigrateDatabase;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Executor, MySql, QueryBuilder};

use super::pool::Pool;
use super::way::State;
use crate::limits::{RIVAL_STATEMENTS_MAX, RIVAL_UNITS_PER_STATEMENT};

const TABLES: [&str; 4] = [
    "create table if not exists rival_stock (
        shelf tinyint unsigned not null,
        stock bigint not null,
        left_units bigint not null,
        version bigint unsigned not null,
        constraint rival_stock_pk primary key (shelf)
    ) engine=innodb",
    "create table if not exists rival_orders (
        order_no bigint unsigned not null auto_increment,
        id binary(16) not null,
        sale_id varchar(80) character set ascii collate ascii_bin not null,
        user_id varchar(64) character set ascii collate ascii_bin not null,
        order_key varchar(255) character set ascii collate ascii_bin not null,
        sku varchar(64) character set ascii collate ascii_bin not null,
        quantity int unsigned not null,
        body_hash binary(16) not null,
        deadline_ms bigint unsigned not null,
        constraint rival_orders_pk primary key (order_no),
        constraint rival_orders_id unique (id)
    ) engine=innodb",
    "create table if not exists rival_units (
        unit_no int unsigned not null,
        order_no bigint unsigned null,
        constraint rival_units_pk primary key (unit_no),
        index rival_units_order (order_no, unit_no)
    ) engine=innodb",
    "create table if not exists rival_written_back (
        shelf tinyint unsigned not null,
        left_units bigint not null,
        constraint rival_written_back_pk primary key (shelf)
    ) engine=innodb",
];

const EMPTY: [&str; 2] = ["truncate table rival_orders", "truncate table rival_units"];

/// Where a way counts its stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// A number in one row.
    Counter,
    /// A row per unit.
    Units,
}

/// Connects, and makes the database and the tables if they are not there yet.
pub(crate) async fn open(database_url: &str, connections: u32) -> Result<Pool> {
    let reach = "DATABASE_URL: the database cannot be reached";
    if !MySql::database_exists(database_url).await.context(reach)? {
        MySql::create_database(database_url).await.context(reach)?;
    }
    let options = database_url
        .parse::<MySqlConnectOptions>()
        .context("DATABASE_URL")?
        .statement_cache_capacity(RIVAL_STATEMENTS_MAX)
        .disable_statement_logging();
    let mut first = options.connect().await.context(reach)?;
    for table in TABLES {
        first.execute(table).await?;
    }
    Pool::open(options, connections).await.context(reach)
}

pub(crate) async fn reset(
    connection: &mut MySqlConnection,
    shelf: Shelf,
    stock: u32,
) -> Result<(), sqlx::Error> {
    for statement in EMPTY {
        connection.execute(statement).await?;
    }
    let counter = "-- reset
        replace into rival_stock (shelf, stock, left_units, version) values (1, ?, ?, 0)";
    sqlx::query(counter)
        .bind(stock)
        .bind(stock)
        .execute(&mut *connection)
        .await?;
    if shelf == Shelf::Units {
        put_up_units(connection, stock).await?;
    }
    Ok(())
}

async fn put_up_units(connection: &mut MySqlConnection, stock: u32) -> Result<(), sqlx::Error> {
    let units: Vec<u32> = (1..=stock).collect();
    for units in units.chunks(RIVAL_UNITS_PER_STATEMENT) {
        let mut query =
            QueryBuilder::<MySql>::new("-- put_up_units\n insert into rival_units (unit_no) ");
        query.push_values(units, |mut row, unit| {
            row.push_bind(*unit);
        });
        query
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn state(
    connection: &mut MySqlConnection,
    shelf: Shelf,
) -> Result<State, sqlx::Error> {
    let sql = "-- state
        select s.stock, s.left_units,
            (select count(*) from rival_orders),
            (select count(distinct user_id, order_key) from rival_orders),
            (select cast(coalesce(sum(quantity), 0) as signed) from rival_orders),
            (select count(*) from rival_units where order_no is null)
        from rival_stock s where s.shelf = 1";
    let (stock, counter, orders, distinct, units, units_left): (i64, i64, i64, i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(connection).await?;
    Ok(State {
        stock,
        left: match shelf {
            Shelf::Counter => counter,
            Shelf::Units => units_left,
        },
        orders,
        orders_by_distinct_key: distinct,
        units,
        written_back: None,
    })
}
