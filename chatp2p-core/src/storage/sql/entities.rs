//! The tables as sea-orm sees them. What the columns mean is said once, in [`schema`](super::schema).
#![allow(unreachable_pub, reason = "sea-orm's derives make public types")]

/// Single values by name.
pub mod meta {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "meta")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The names that a tracker is to free.
pub mod releases {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "releases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub username: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The names at a tracker.
pub mod registrations {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "registrations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub username: String,
        pub id: i64,
        pub host: String,
        pub port: i32,
        pub is_active: bool,
        pub last_heartbeat: i64,
        pub record: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod contacts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contacts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: Vec<u8>,
        pub name: String,
        pub record: Option<Vec<u8>>,
        pub wanted: bool,
        pub forgotten: bool,
        pub verified: bool,
        pub blocked: bool,
        pub removed: bool,
        pub tracker_name: Option<String>,
        pub seen: Option<i64>,
        pub watchword: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod requests {
    use sea_orm::entity::prelude::*;

    // As for entries: never printed.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "requests")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: Vec<u8>,
        pub name: String,
        pub arrived: i64,
        pub refused: bool,
        pub first: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod my_epochs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "my_epochs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        pub place: i64,
        pub head: i64,
        pub acknowledged: i64,
        pub acknowledged_hash: Option<Vec<u8>>,
        pub read: i64,
        pub mailed: i64,
        pub mailed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod their_epochs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "their_epochs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        pub place: i64,
        pub n: i64,
        pub hash: Vec<u8>,
        pub read: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod entries {
    use sea_orm::entity::prelude::*;

    // sea-orm wants Debug, which would show what people wrote: a `Model` is never printed.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "entries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i64,
        pub peer: Vec<u8>,
        pub mine: bool,
        pub id: Vec<u8>,
        pub written: i64,
        pub weight: i64,
        pub epoch: Option<i64>,
        pub n: Option<i64>,
        pub hash: Option<Vec<u8>>,
        pub body: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod keys {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub version: i64,
        pub sealed: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(feature = "sqlite")]
pub mod ciphertexts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ciphertexts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub n: i64,
        pub ciphertext: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
