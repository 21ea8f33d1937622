/** Checks the catalog of a reachable database: version, rights of this login, and leftovers of killed imports. */
import type { AccessLevel, CatalogRights } from '../../catalog/access-level.ts'
import { dialectOf } from '../../catalog/dialect.ts'
import { catalogPresence } from '../../catalog/migrate.ts'
import { MIGRATIONS_RELATION } from '../../catalog/relation-names.ts'
import { catalogRights } from '../../catalog/rights.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { SqlDatabase, SqlReader } from '../../model/run/sql-port.ts'
import { fail, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { countText } from '../../shared/figures.ts'
import type { Examination } from './examination.ts'

const AREA = 'catalog'
const MOST_NAMED = 5

export async function inspectCatalog(examination: Examination, database: SqlDatabase): Promise<void> {
  let rights: CatalogRights | null = null
  const asked = await examination.check(AREA, 'rights', async () => {
    rights = await catalogRights(database)
    return rights === null ? null : rightsVerdict(rights, database.label)
  })
  if (asked.late) return
  let present = false
  await examination.check(AREA, 'version', async () => {
    present = (await catalogPresence(database)) === 'present'
    return present ? versionVerdict(database, rights) : ok('no catalog yet: the first import creates it')
  })
  if (!present) return
  await examination.check(AREA, 'imports', () => importsVerdict(database))
  await examination.check(AREA, 'indexes', () => indexesVerdict(database))
}

const MEANS: Readonly<Record<AccessLevel, string>> = {
  reader: 'reader: may query, but not import',
  importer: 'importer: may query and import, but not upgrade the catalog',
  admin: 'admin: may create, upgrade and import',
}

function rightsVerdict({ login, level, missing, wanted }: CatalogRights, url: string): Verdict {
  const hint = (role: AccessLevel): string =>
    `as an administrator: sluice grants --database-url ${shellQuote(url)} --role ${role} --to ${shellQuote(login)} --apply`
  if (level === null) {
    // Without a catalog only the right to create one matters.
    const [verb, role] = missing.reader.length > 0 ? (['read the', 'reader'] as const) : (['make a', 'admin'] as const)
    const cause = `it lacks ${missing[role].join('; ')}`
    return fail(`${login} may not ${verb} catalog`, { cause, hint: hint(role) })
  }
  const found = `${login} is ${MEANS[level]}`
  if (level === 'reader')
    return warn(found, { cause: `it lacks ${missing.importer.join('; ')}`, hint: hint('importer') })
  if (wanted.length === 0) return ok(found)
  return warn(found, {
    cause: `it lacks ${wanted.join('; ')}, without which large imports are slower`,
    hint: hint(level === 'admin' ? 'admin' : 'importer'),
  })
}

async function versionVerdict(database: SqlDatabase, rights: CatalogRights | null): Promise<Verdict> {
  const rows = await database.all(`SELECT version FROM ${MIGRATIONS_RELATION} ORDER BY version`)
  const applied = new Set(rows.map(([version]) => version))
  const [[tables] = []] = await database.all('SELECT count(*) FROM delta_tables')
  const found = `version ${String(rows.at(-1)?.[0])}, ${countText(Number(tables), 'table')}`
  const missing = dialectOf(database).migrations.filter(({ version }) => !applied.has(version))
  if (missing.length === 0) return ok(found)
  const trouble = { cause: `this sluice uses version ${missing.at(-1)?.version ?? ''}` }
  if (rights === null || rights.level === 'admin')
    return warn(found, { ...trouble, hint: 'the next import upgrades it' })
  return fail(found, { ...trouble, hint: 'let an administrator import once: this login may not upgrade the catalog' })
}

async function importsVerdict(database: SqlDatabase): Promise<Verdict> {
  const now = await database.now()
  const unfinished = await namesOf(
    database,
    'SELECT table_id FROM delta_tables WHERE "cursor" IS NOT NULL ORDER BY table_id',
  )
  const leases = await database.all(
    'SELECT table_id, expires_at, host, pid FROM catalog_leases WHERE expires_at > 0 ORDER BY table_id',
  )
  const running = new Set(leases.filter(([, expires]) => Number(expires) > now).map(([id]) => String(id)))
  const dead = leases.filter(([id]) => !running.has(String(id)))
  const stopped = unfinished.filter((id) => !running.has(id))
  const active = running.size === 0 ? '' : `, ${running.size} running`
  if (stopped.length > 0) {
    return warn(`${stopped.length} unfinished${active}: ${listed(stopped)}`, {
      cause: 'their import was stopped or killed; the catalog answers up to the last whole version',
      hint: 'run the same import again: it continues where it stopped',
    })
  }
  if (dead.length > 0) {
    const [[id, , host, pid] = []] = dead
    return warn(
      `${countText(dead.length, 'lease')} left behind${active}: ${listed(dead.map(([name]) => String(name)))}`,
      {
        cause: `process ${String(pid)} on ${String(host)} ended without giving the lease of ${String(id)} back`,
        hint: 'nothing to do: the next import takes it over',
      },
    )
  }
  return ok(`none unfinished${active}`)
}

/** Checks for missing indexes. During an import some are missing intentionally. */
async function indexesVerdict(database: SqlDatabase): Promise<Verdict | null> {
  const { files, objectNames } = dialectOf(database)
  let missing: readonly string[]
  if (files.kind === 'partitions') {
    missing = await namesOf(
      database,
      `SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'delta_files'::pg_catalog.regclass::oid
         AND c.relname NOT IN (SELECT 'delta_files_' || pg_catalog.md5(t.table_id) FROM delta_tables t WHERE t."cursor" IS NOT NULL)
         AND (SELECT count(*) FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid) < 4 ORDER BY 1`,
    )
  } else {
    if (files.indexes.length === 0) return null
    const present = new Set((await database.all(objectNames)).map(([name]) => name))
    missing = files.indexes.map(({ name }) => name).filter((name) => !present.has(name))
  }
  if (missing.length === 0) return ok('all there')
  return warn(`missing: ${listed(missing)}`, {
    cause: 'an import was killed before it built them: queries are correct, but slow',
    hint: 'the next import builds them',
  })
}

async function namesOf(reader: SqlReader, sql: string): Promise<readonly string[]> {
  return (await reader.all(sql)).map(([name]) => String(name))
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMED
  return names.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
