// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "storage/table_info.hpp"

namespace mycelial::storage {

bool keeps_schema_version(const std::string& name) {
  static constexpr const char* kNames[] = {
      "__diesel_schema_migrations",
      "__drizzle_migrations",
      "__EFMigrationsHistory",
      "_prisma_migrations",
      "_sqlx_migrations",
      "alembic_version",
      "android_metadata",
      "ar_internal_metadata",
      "databasechangelog",
      "databasechangeloglock",
      "django_migrations",
      "doctrine_migration_versions",
      "flyway_schema_history",
      "goose_db_version",
      "grdb_migrations",
      "knex_migrations",
      "knex_migrations_lock",
      "phinxlog",
      "refinery_schema_history",
      "room_master_table",
      "schema_migrations",
      "SequelizeMeta",
  };
  return std::ranges::any_of(
      kNames, [&](const char* known) { return sqlite3_stricmp(known, name.c_str()) == 0; });
}

}  // namespace mycelial::storage
