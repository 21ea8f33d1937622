/** Names of a catalog's relations: tables from `OWN_TABLES`, views from the migrations of a dialect. */
import { OWN_TABLES } from '../stores/common/own-tables.ts'
import type { CatalogDialect, RelationNames } from './dialect-port.ts'

export const MIGRATIONS_RELATION = 'catalog_migrations'

const CREATE_VIEW = /\bCREATE (?:OR REPLACE )?VIEW (\w+)\b/g
const TABLES = OWN_TABLES.filter(({ owner, name }) => owner === 'catalog' && name !== MIGRATIONS_RELATION)

/**
 * Names of tables and views. Leaves out partitions, which are accessed through their parent, and the list of
 * migrations.
 */
export function relationNames({ migrations }: Pick<CatalogDialect, 'migrations'>): RelationNames {
  const views = migrations.flatMap(({ sql }) => [...sql.matchAll(CREATE_VIEW)].map(([, name = '']) => name))
  return { tables: TABLES.map(({ name }) => name), views: [...new Set(views)] }
}
