/**
 * Work that an older program has left half-done, killed or finished, is completed by this one: fixtures/half-done has a
 * folder for each version that left some. Each run of CI tests the newest of them, SLUICE_TEST_ALL all.
 * SLUICE_MAKE_HALF_DONE=NAME creates such a folder with the current build.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, firstAndToday } from '../support/backend.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import {
  adoptHere,
  archivedIds,
  IDS,
  KEPT,
  leaveArchives,
  LEFT,
  operationOf,
  type Form,
} from '../support/half-done/archives.ts'
import { activeFiles, importOf, leaveImport, writeTable } from '../support/half-done/imports.ts'
import { copyOf, leaveCopies } from '../support/half-done/copies.ts'
import { openKeyspace } from '../support/half-done/keyspace.ts'
import { FIXTURES, neutralFolder, NEWEST, readBack, writeDown } from '../support/half-done/room.ts'
import { d1Answer, openSource, REFUSED, TABLES, type Source, type Table } from '../support/half-done/source.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'

const NEW = process.env['SLUICE_MAKE_HALF_DONE'] ?? ''
const VERSIONS = ALL ? [...new Set([...readdirSync(FIXTURES), ...(NEW === '' ? [] : [NEW])])] : [NEWEST]
const TARGETS: readonly System[] = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1']
const ORDER: readonly Table[] = ['ours', 'broken', 'divided', 'done']

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-half-done-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(!D1_AVAILABLE)(`half-done copies${D1_MISSING === '' ? '' : ` (skipped: ${D1_MISSING})`}`, () => {
  let source: Source
  beforeAll(async () => {
    const answer = await d1Answer()
    if ('missing' in answer) throw new Error(answer.missing)
    source = await openSource(answer.url)
  })
  afterAll(() => source?.[Symbol.asyncDispose]())

  type Rows = readonly (readonly (string | null)[])[]

  /** Runs every command again, repairs the quarantined row, and compares both sides. */
  async function finish(to: string, rows: (table: Table) => Promise<Rows>): Promise<void> {
    await source.place.sql(`UPDATE broken SET n = '${REFUSED.as}' WHERE id = ${REFUSED.id}`)
    for (const table of ORDER) {
      const { finished, events } = await perform(copyOf(source.place.url, to, table))
      const error = table === 'broken' ? { code: 'ROWS_ASIDE' } : undefined
      expect([table, finished.exitCode, finished.error], JSON.stringify(finished.error)).toEqual([
        table,
        table === 'broken' ? 1 : 0,
        error === undefined ? undefined : expect.objectContaining(error),
      ])
      const began = events.filter(({ type }) => type === 'chunk.started').length
      expect([table, began]).toEqual([table, { ours: 4, broken: 3, divided: 10, done: 0 }[table]])
    }
    await source.repair()
    const { finished } = await perform({ kind: 'retry-quarantine', to })
    expect(finished.error).toBeUndefined()
    expect(finished.exitCode).toBe(0)
    for (const table of ORDER) {
      const there = await rows(table)
      expect(there.length).toBe(TABLES[table])
      expect(there).toEqual(await source.place.rows(`SELECT id, n, name FROM "${table}" ORDER BY id`))
      const again = await perform(copyOf(source.place.url, to, table))
      expect([table, again.finished.exitCode]).toEqual([table, 0])
      expect(again.events.filter(({ type }) => type === 'chunk.started')).toEqual([])
    }
  }

  test.runIf(NEW !== '').for(TARGETS)('%s: a fixture is created', { timeout: 120_000 }, async (system) => {
    const neutral = neutralFolder()
    const place = await makePlace(system, neutral)
    await source.place.sql(`UPDATE broken SET n = '${REFUSED.as}' WHERE id = ${REFUSED.id}`)
    await leaveCopies(source.place.url, place.url)
    await writeDown(place, join(FIXTURES, NEW, `copy-${system}`), neutral)
    rmSync(neutral, { recursive: true })
  })

  test.for(VERSIONS.flatMap((version) => firstAndToday(TARGETS).map((system) => [version, system] as const)))(
    '%s: copies into %s are continued, each row once, and completed chunks stay completed',
    { timeout: 60_000 },
    async ([version, system], { skip }) => {
      const why = await missing(system)
      skip(why !== '', why)
      const target = await readBack(system, join(FIXTURES, version, `copy-${system}`), folder)
      // Restored tables have other ids and creation times than the original ones.
      if (system === 'postgresql' || system === 'mysql')
        await target.sql('UPDATE migration_plans SET target_mark = NULL')
      const quoted = (table: string): string => (system === 'mysql' ? `\`${table}\`` : `"${table}"`)
      await finish(target.url, (table) => target.rows(`SELECT id, n, name FROM ${quoted(table)} ORDER BY id`))
    },
  )

  describe.skipIf(!CASSANDRA_AVAILABLE)(`into Cassandra ${CASSANDRA_MISSING}`, () => {
    const TABLE = (table: string): string => `CREATE TABLE "${table}" (id bigint PRIMARY KEY, n bigint, name text)`

    test.runIf(NEW !== '')('a fixture is created', { timeout: 240_000 }, async () => {
      await using keyspace = await openKeyspace()
      await source.place.sql(`UPDATE broken SET n = '${REFUSED.as}' WHERE id = ${REFUSED.id}`)
      await keyspace.cql(...ORDER.map(TABLE))
      await leaveCopies(source.place.url, keyspace.url, true)
      await keyspace.writeDown(join(FIXTURES, NEW, 'copy-cassandra'))
    })

    test.for(VERSIONS)('%s: copies into Cassandra are continued', { timeout: 180_000 }, async (version) => {
      await using keyspace = await openKeyspace(join(FIXTURES, version, 'copy-cassandra'))
      await finish(keyspace.url, async (table) =>
        (await keyspace.rows(`SELECT id, n, name FROM "${table}"`))
          .map((row) => row.map((value) => (value == null ? null : String(value as bigint | string))))
          .toSorted(([a], [b]) => Number(a) - Number(b)),
      )
    })
  })
})

const FORMS: readonly (readonly [System, Form])[] = [
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
]

test.runIf(NEW !== '').for(FORMS)(
  'archives of %s, %s: a fixture is created',
  { timeout: 240_000 },
  async ([system, form]) => {
    const neutral = neutralFolder()
    const place = await makePlace(system, neutral)
    await leaveArchives(place, form, join(neutral, 'archive'))
    const fixture = join(FIXTURES, NEW, `archive-${system}`)
    await writeDown(place, fixture, neutral, 'text')
    rmSync(fixture, { recursive: true, force: true })
    cpSync(join(neutral, 'archive'), fixture, { recursive: true })
    rmSync(neutral, { recursive: true })
  },
)

test.for(VERSIONS.flatMap((version) => FORMS.map(([system, form]) => [version, system, form] as const)))(
  '%s: archives of %s, %s, are continued from every state, and each row is stored once',
  { timeout: 120_000 },
  async ([version, system, form], { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const at = mkdtempSync(join(folder, 'archives-'))
    const fixture = join(FIXTURES, version, `archive-${system}`)
    const place = await readBack(system, fixture, at, 'text')
    await adoptHere(place)
    cpSync(fixture, join(at, 'archive'), { recursive: true })
    const unjudged: string[] = []
    for (const name of Object.keys(LEFT)) {
      const table = `t_${name}`
      const archive = join(at, 'archive', system === 'postgresql' ? `public.${table}` : table)
      const hot = async (): Promise<readonly (string | null)[]> =>
        (await place.rows(`SELECT id FROM ${table} ORDER BY id`)).map(([id]) => id ?? null)
      const states = async (): Promise<readonly (string | null)[]> =>
        (
          await place.rows(
            `SELECT state FROM migration_archive_partitions WHERE table_name = '${table}' ORDER BY partition_name`,
          )
        ).map(([state]) => state ?? null)
      const ended = async (stage: 'run' | 'drop' | 'restore'): Promise<string> => {
        const { finished, events } = await perform(operationOf(stage, form, place.url, table, join(at, 'archive')))
        const failed = events.flatMap((event) => (event.type === 'table.finished' ? (event.error ?? []) : []))
        const said = finished.error === undefined ? 'ok' : JSON.stringify([finished.error, failed])
        return `${name} ${stage} ${finished.exitCode} ${said}`
      }
      const { did } = LEFT[name] ?? { did: [] }
      // The last command again; if it was not killed, it has nothing to do.
      const stage = did.at(-1) ?? 'run'
      expect(await ended(stage)).toBe(`${name} ${stage} 0 ok`)
      const end = { run: 'DETACHED', drop: 'DROPPED', restore: 'RESTORED' }[stage]
      expect([name, await states()]).toEqual([name, [end, end]])
      const isBack = stage === 'restore'
      // A drop removes rows of a plain table; until then the ledger records that they do not count.
      const isLeft = isBack || (form === 'plain' && stage === 'run')
      expect([name, await hot()]).toEqual([name, isLeft ? IDS : KEPT])
      expect([name, await archivedIds(archive)]).toEqual([name, isBack ? [] : IDS.slice(0, -KEPT.length)])
      // That program recorded no checksums in its ledger for what it wrote to the log.
      const verify = { kind: 'archive-verify', from: place.url, tables: [table], partitions: [], deep: false } as const
      const { finished } = await perform(verify)
      expect([name, finished.exitCode]).toEqual([name, 0])
      if (finished.notChecked?.includes('an older sluice or another ledger wrote them') === true) unjudged.push(name)
    }
    expect(unjudged.length).toBeGreaterThan(0)
  },
)

const CATALOGS: readonly System[] = ['sqlite', 'postgresql', 'mysql', 'duckdb']

test.runIf(NEW !== '').for(CATALOGS)('a catalog of %s: a fixture is created', { timeout: 60_000 }, async (system) => {
  const neutral = neutralFolder()
  const place = await makePlace(system, neutral)
  await leaveImport(writeTable(neutral), place.url)
  expect(await place.rows('SELECT host FROM catalog_leases')).toEqual([['other-host']])
  await writeDown(place, join(FIXTURES, NEW, `catalog-${system}`), neutral, 'text')
  rmSync(neutral, { recursive: true })
})

test.for(VERSIONS.flatMap((version) => CATALOGS.map((system) => [version, system] as const)))(
  '%s: an import into a catalog of %s is continued',
  { timeout: 60_000 },
  async ([version, system], { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const at = system === 'duckdb' ? neutralFolder() : mkdtempSync(join(folder, 'catalog-'))
    const place = await readBack(system, join(FIXTURES, version, `catalog-${system}`), at, 'text')
    const [[before] = []] = await place.rows("SELECT current_version FROM delta_tables WHERE table_id = 'events'")
    const table = writeTable(at)
    for (const _ of [1, 2]) {
      const { finished } = await perform(importOf(table, place.url))
      expect([finished.exitCode, finished.error]).toEqual([0, undefined])
    }
    expect(Number(before)).toBeLessThan(11)
    expect(await place.rows("SELECT current_version FROM delta_tables WHERE table_id = 'events'")).toEqual([['11']])
    const rows = await place.rows(
      "SELECT path FROM delta_files WHERE removed_version IS NULL AND table_id = 'events' ORDER BY path",
    )
    expect(rows.map(([path]) => path)).toEqual(activeFiles())
    const imports = await place.rows('SELECT status, version FROM migration_status')
    expect(imports).toContainEqual(['completed', '11'])
    rmSync(at, { recursive: true })
  },
)
