/** Names of the relations that make up a catalog, as the migrations of its dialect create them. */
import type { CatalogDialect, RelationNames } from './dialect-port.ts'

export const MIGRATIONS_RELATION = 'catalog_migrations'

const CREATE = /\bCREATE (?:OR REPLACE )?(TABLE|VIEW) (?:IF NOT EXISTS )?(\w+)\b(?! PARTITION OF)/g

/** Without partitions, whose rows are read and written through their parent, and without the list of migrations. */
export function relationNames({ migrations }: Pick<CatalogDialect, 'migrations'>): RelationNames {
  const names = { TABLE: new Set<string>(), VIEW: new Set<string>() }
  for (const { sql } of migrations) {
    for (const [, kind, name] of sql.matchAll(CREATE)) names[kind as 'TABLE' | 'VIEW'].add(name as string)
  }
  return { tables: [...names.TABLE], views: [...names.VIEW] }
}
