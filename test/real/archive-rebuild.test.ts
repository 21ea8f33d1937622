/** A lost ledger is rebuilt from its archive with the same states, bounds, checksums, files and holds. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { startArchiver } from '../fault/archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-rebuild-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type System = 'sqlite' | 'postgresql' | 'mysql'
const SYSTEMS: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ['postgresql', 'plain'],
  ['mysql', 'plain'],
]
const LEDGER = ['', 's', '_partitions', '_history', '_heads', '_erasures', '_erased', '_sweeps', '_ledger'].map(
  (end) => `migration_archive${end}`,
)

async function fresh(system: System, form: Form): Promise<Archived> {
  return makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 60)
}

async function ended(operation: Operation): Promise<string> {
  const { finished } = await perform(operation)
  return finished.error === undefined ? 'ok' : `${finished.error.code}: ${finished.error.message}`
}

/** With the archive's own location, or the folder that it was created in. */
const adopt = ({ place, archive, to }: Pick<Archived, 'place' | 'archive' | 'to'>, more: object = {}): Operation => ({
  kind: 'archive-adopt',
  from: place.url,
  table: TABLE,
  confirm: TABLE,
  accept: [],
  to: place.system === 'mysql' ? to : archive,
  dryRun: false,
  ...more,
})

const hold = ({ url }: Pick<Place, 'url'>, label: string, reason: string | null): Operation => ({
  kind: 'archive-hold',
  from: url,
  table: TABLE,
  partitions: [label],
  reason,
})

async function lose({ sql }: Pick<Place, 'sql'>): Promise<void> {
  for (const table of LEDGER) await sql(`DROP TABLE IF EXISTS ${table}`)
}

const ROWS = `SELECT partition_name, state, from_bound, to_bound, native_schema, native_table, native_identity, num_rows, checksum, file_bytes, files,
  delta_version, hold_reason, stored FROM migration_archive_partitions ORDER BY 1`
const TABLES = `SELECT table_name, archive, archive_id, time_column, calendar, stored, grace_ms, origin FROM migration_archives`

const ledgerOf = async ({
  rows,
}: Pick<Place, 'rows'>): Promise<{ readonly partitions: readonly unknown[][]; readonly tables: unknown }> => ({
  partitions: (await rows(ROWS)).map((row) => [...row]),
  tables: await rows(TABLES),
})

async function skipped(system: System): Promise<string> {
  return missing(system)
}

test.for(SYSTEMS)(
  '%s, %s: the rebuilt ledger equals the lost one, and all commands work with it',
  // About twenty commands, each of which reads the archive.
  { timeout: 120_000 },
  async ([system, form], { skip }) => {
    const why = await skipped(system)
    if (why !== '') skip(why)
    const archived = await fresh(system, form)
    const { place } = archived
    const { run, drop, query, verify, restore, sweep } = commandsOf(archived)
    const { counted } = await countedBy(query)
    expect(counted).toMatch(/^180 /)
    expect(await ended(run)).toBe('ok')
    expect(await ended(hold(place, '2020-Q2', 'a lawsuit'))).toBe('ok')
    expect(await ended({ ...drop, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    const before = await ledgerOf(place)
    expect(before.partitions.map(([label, state]) => [label, state])).toEqual([
      ['2020-Q1', 'DROPPED'],
      ['2020-Q2', 'DETACHED'],
    ])
    await lose(place)
    expect(await ended(adopt(archived, { to: undefined }))).toMatch(/^PARTITION_STATE/)
    await lose(place)
    const tried = await perform(adopt(archived, { dryRun: true, confirm: undefined }))
    expect(tried.finished.error).toBe(undefined)
    expect(tried.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '120', findings: '0' } })
    // If a plain table has all rows of a period, they count there: the next run removes them again.
    const second = form === 'native' ? 'DETACHED' : 'PUBLISHED'
    const listed = tried.events.flatMap((event) =>
      event.type === 'archived' ? [[event.partition, event.state, event.held]] : [],
    )
    expect(listed).toEqual([
      ['2020-Q1', 'DROPPED', undefined],
      ['2020-Q2', second, 'a lawsuit'],
    ])
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).not.toEqual([])
    await expect(place.rows(ROWS)).rejects.toThrow(/migration_archive_partitions/)
    // A nightly job would create a new archive, and is refused because the folder contains one.
    expect(await ended(run)).toMatch(/^ARCHIVE_CONFLICT.*/)
    const adopted = await perform(adopt(archived))
    expect(adopted.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '120', findings: '0' } })
    const after = await ledgerOf(place)
    expect(after.tables).toEqual(before.tables)
    const wanted = before.partitions.map((row) => (row[0] === '2020-Q2' ? row.with(1, second) : row))
    expect(after.partitions).toEqual(wanted)
    expect((await countedBy(query)).counted).toBe(counted)
    expect(await ended({ ...verify, deep: true } as Operation)).toBe('ok')
    // A held partition stays.
    expect(await ended({ ...drop, graceMs: 0 } as Operation)).toBe('ok')
    expect(
      (await place.rows(`SELECT state FROM migration_archive_partitions ORDER BY partition_name`)).map(String),
    ).toEqual(['DROPPED', second])
    expect(await ended(hold(place, '2020-Q2', null))).toBe('ok')
    expect(await ended(run)).toBe('ok')
    expect(await ended(drop)).toBe('ok')
    expect((await countedBy(query)).counted).toBe(counted)
    expect(await ended(sweep)).toBe('ok')
    expect(await ended(restore)).toBe('ok')
    expect(
      await place.rows(`SELECT count(*), sum(id) FROM ${TABLE}`).then((rows) => rows[0]?.map(Number).join(' ')),
    ).toBe(counted)
    // Restored partitions are known, too, and are not archived again by an age.
    await lose(place)
    expect(await ended(adopt(archived))).toBe('ok')
    expect((await place.rows(`SELECT state, retracted FROM migration_archive_partitions`)).map(String)).toEqual([
      'RESTORED,1',
      'RESTORED,1',
    ])
    expect(await ended(run)).toBe('ok')
    expect(await ended({ ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation)).toBe('ok')
    expect(await ended(drop)).toBe('ok')
    expect((await countedBy(query)).counted).toBe(counted)
  },
)

const findingsOf = async (operation: Operation): Promise<readonly string[]> => {
  const { events, finished } = await perform(operation)
  const found = events.flatMap((event) =>
    event.type === 'archive.finding' ? [`${event.partition} ${event.finding}: ${event.detail}`] : [],
  )
  return [...found, finished.error?.code ?? 'ok']
}

const statesOf = async ({ rows }: Pick<Place, 'rows'>): Promise<readonly string[]> =>
  (await rows(`SELECT partition_name, state, hold_reason FROM migration_archive_partitions ORDER BY 1`)).map((row) =>
    row.map((value) => value ?? '-').join(' '),
  )

test('plain rows that differ are refused by name; they are accepted only if no row is lost', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place } = archived
  const { run, drop, query, restore, verify } = commandsOf(archived)
  expect(await ended(run)).toBe('ok')
  const { counted } = await countedBy(query)
  await lose(place)
  // As after an interrupted drop, and with a row that a user changed.
  await place.sql(`DELETE FROM ${TABLE} WHERE id < 40`, `UPDATE ${TABLE} SET note = 'changed' WHERE id = 100007`)
  const refused = [
    expect.stringMatching(/^2020-Q1 differs from the source: 40 archived rows are missing \(0; 1; 2; 3; 4 …\)$/),
    expect.stringMatching(/^2020-Q2 differs from the source: 1 row has other values \(100007\)$/),
    'PROOF_FAILED',
  ]
  expect(await findingsOf(adopt(archived, { dryRun: true }))).toEqual(refused)
  expect(await findingsOf(adopt(archived))).toEqual(refused)
  expect(await findingsOf(adopt(archived, { accept: ['2020-Q1'] }))).toEqual(refused)
  // Missing rows next to changed ones cannot be explained.
  await place.sql(`DELETE FROM ${TABLE} WHERE id = 100008`)
  expect((await findingsOf(adopt(archived, { accept: ['2020-Q1', '2020-Q2'] }))).at(-1)).toBe('PROOF_FAILED')
  await place.sql(`INSERT INTO ${TABLE} VALUES (100008, '2020-04-01 08:00:00', 'late', NULL)`)
  expect(await findingsOf(adopt(archived, { accept: ['2020-Q1', '2020-Q2'] }))).toEqual([
    refused[0],
    expect.stringContaining('2 rows have other values (100007; 100008)'),
    'ok',
  ])
  expect(await statesOf(place)).toEqual(['2020-Q1 DETACHED -', '2020-Q2 PUBLISHED -'])
  // The archive answers for the whole first period, and the drop is resumed.
  expect((await countedBy(query)).counted).toBe(counted)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  expect((await countedBy(query)).counted).toBe(counted)
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['60']])
  expect(await ended({ ...verify, deep: true } as Operation)).toBe('ok')
  expect(await ended(restore)).toBe('ok')
  expect(await place.rows(`SELECT count(*), sum(note = 'changed'), sum(note = 'late') FROM ${TABLE}`)).toEqual([
    ['180', '1', '1'],
  ])
})

test('PostgreSQL: a changed or moved detached table, and rows in its place, are refused by name', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const archived = await fresh('postgresql', 'native')
  const { place } = archived
  const { run, query } = commandsOf(archived)
  expect(await ended(run)).toBe('ok')
  const tables = (
    await place.rows(
      `SELECT relname FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1`,
    )
  ).map(String)
  const [first = '', second = ''] = tables
  await lose(place)
  await place.sql(
    `UPDATE sluice_archived."${first}" SET note = 'changed' WHERE id = 7`,
    `ALTER TABLE sluice_archived."${second}" SET SCHEMA public`,
    `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`,
  )
  expect(await findingsOf(adopt(archived))).toEqual([
    '2020-Q1 differs from the source: in its detached table: 60 rows on both sides, but with different values',
    expect.stringMatching(
      /^2020-Q2 differs from the source: its detached table is not the table that was at sluice_archived\..*: it was moved/,
    ),
    'PROOF_FAILED',
  ])
  await place.sql(
    `ALTER TABLE public."${second}" SET SCHEMA sluice_archived`,
    `INSERT INTO ${TABLE} VALUES (777, '2020-05-05', 'late', 1)`,
  )
  expect(await findingsOf(adopt(archived))).toEqual([
    expect.stringContaining('2020-Q1 differs from the source'),
    '2020-Q2 differs from the source: 1 other rows of its period are in the table',
    'PROOF_FAILED',
  ])
  await place.sql(`DELETE FROM ${TABLE} WHERE id = 777`)
  expect((await findingsOf(adopt(archived, { accept: ['2020-Q1'] }))).at(-1)).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 DETACHING -', '2020-Q2 DETACHED -'])
  expect(await ended(run)).toBe('ok')
  // The archive has the change that was made before the loss of the ledger, not the value before it.
  expect(await statesOf(place)).toEqual(['2020-Q1 DETACHED -', '2020-Q2 DETACHED -'])
  const changed = await perform({ ...query, query: `SELECT note FROM ${TABLE} WHERE id = 7` } as Operation)
  expect(changed.events.flatMap((event) => (event.type === 'row' ? [event.values] : []))).toEqual([['changed']])
})

test('an archive that is of another table, has other columns, is damaged or is missing is refused', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place, archive, to } = archived
  const { run, drop } = commandsOf(archived)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  await lose(place)
  const code = async (more: object): Promise<string> => (await ended(adopt(archived, more))).split(':')[0] ?? ''
  expect(await code({ to: join(to, 'nowhere') })).toBe('NO_LOG')
  await place.sql(`CREATE TABLE visits AS SELECT * FROM ${TABLE}`)
  expect(await code({ table: 'visits', confirm: 'visits' })).toBe('ARCHIVE_CONFLICT')
  expect(await code({ calendar: { unit: 'month' } })).toBe('PLAN_CHANGED')
  expect(await code({ by: 'note' })).toBe('PLAN_CHANGED')
  await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN note`)
  expect(await code({})).toBe('PLAN_CHANGED')
  await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN remark TEXT`)
  expect(await code({})).toBe('PLAN_CHANGED')
  await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN remark TO note`)
  const [file = ''] = readdirSync(join(archive, 'sluice_partition=2020-Q1'))
  const path = join(archive, 'sluice_partition=2020-Q1', file)
  const bytes = readFileSync(path)
  const damaged = Buffer.from(bytes)
  damaged[200] = (damaged[200] ?? 0) ^ 1
  writeFileSync(path, damaged)
  expect(await findingsOf(adopt(archived, { accept: ['2020-Q1', '2020-Q2'] }))).toEqual([
    expect.stringMatching(/^2020-Q1 (changed|unreadable) file/),
    'PROOF_FAILED',
  ])
  writeFileSync(path, bytes)
  expect(await place.rows(`SELECT count(*) FROM migration_archives`)).toEqual([['0']])
  expect(await place.rows(`SELECT count(*) FROM migration_archive_partitions`)).toEqual([['0']])
})

test('bounds that the rows contradict, or that differ between ledger and log, are not adopted', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place, archive } = archived
  const { run, drop } = commandsOf(archived)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  const set = (to: string): Promise<void> =>
    place.sql(`UPDATE migration_archive_partitions SET to_bound = '${to}' WHERE partition_name = '2020-Q1'`)
  const [[end] = []] = await place.rows(
    `SELECT to_bound FROM migration_archive_partitions WHERE partition_name = '2020-Q1'`,
  )
  const [, wrong] = [await set('2020-01-02'), /^2020-Q1 other bounds: .*to 2020-01-02/]
  expect(await findingsOf(adopt(archived, { to: undefined }))).toEqual([expect.stringMatching(wrong), 'PROOF_FAILED'])
  await set(String(end))
  // Rows of the third day are outside of these bounds, on which ledger and log will agree.
  const log = join(archive, '_delta_log')
  for (const name of readdirSync(log).filter((one) => one.endsWith('.json'))) {
    const text = readFileSync(join(log, name), 'utf8')
    writeFileSync(
      join(log, name),
      text.replaceAll(`"sluice.to":"${String(end)}","sluice.`, '"sluice.to":"2020-01-03","sluice.'),
    )
  }
  await lose(place)
  const bounds =
    /^2020-Q1 other bounds: its rows are from 2020-01-01 .* to 2020-01-03 .*, and its bounds are .* to 2020-01-03/
  expect(await findingsOf(adopt(archived))).toEqual([expect.stringMatching(bounds), 'PROOF_FAILED'])
  expect(await place.rows(`SELECT count(*) FROM migration_archive_partitions`)).toEqual([['0']])
})

/** As an older version wrote it: without properties and without the new tags. */
function madeOlder(archive: string): void {
  const log = join(archive, '_delta_log')
  for (const name of readdirSync(log).filter((one) => one.endsWith('.json'))) {
    const lines = readFileSync(join(log, name), 'utf8').trim().split('\n')
    const older = lines.map((line) => {
      const action = JSON.parse(line) as {
        metaData?: { configuration: Record<string, string> }
        add?: { tags: Record<string, string> }
      }
      const own = /^sluice\.(calendar|timeColumn|grace|stored|hold\..*|columns.*|native)$/
      for (const texts of [action.metaData?.configuration, action.add?.tags]) {
        for (const key of Object.keys(texts ?? {})) if (texts !== undefined && own.test(key)) delete texts[key]
      }
      return JSON.stringify(action)
    })
    writeFileSync(join(log, name), `${lines.length > 0 ? older.join('\n') : ''}\n`)
  }
}

test('an archive of an older version: missing settings must be given, and are recorded for later', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place, archive } = archived
  const { run, drop, query, verify } = commandsOf(archived)
  expect(await ended({ ...run, asText: ['id'] } as Operation)).toBe('ok')
  expect(await ended({ ...drop, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  const { counted } = await countedBy(query)
  const before = await ledgerOf(place)
  madeOlder(archive)
  await lose(place)
  expect(await ended(adopt(archived))).toMatch(/^BAD_FLAG: .* does not record its partitioning/)
  expect((await perform(adopt(archived))).finished.error?.hint).toBe(
    'give --calendar and --by with the same values as in archive run',
  )
  const options = { calendar: { unit: 'quarter' }, by: 'at', graceMs: 0 }
  expect(await ended(adopt(archived, options))).toBe('ok')
  const after = await ledgerOf(place)
  expect(after.tables).toEqual(before.tables)
  expect(after.partitions).toEqual(
    before.partitions.map((row) => (row[0] === '2020-Q2' ? row.with(1, 'PUBLISHED') : row)),
  )
  expect((await countedBy(query)).counted).toBe(counted)
  await lose(place)
  expect(await ended(adopt(archived))).toBe('ok')
  expect(await ended(run)).toBe('ok')
  expect(await ended({ ...verify, deep: true } as Operation)).toBe('ok')
})

const KILLS = [
  ['INSERT INTO migration_archives ', 'after'],
  ['INSERT INTO migration_archive_heads', 'after'],
  ['COMMIT', 'after'],
  ['link', 'before'],
  ['link', 'after'],
  ['UPDATE migration_archives SET origin', 'before'],
  ['UPDATE migration_archives SET origin', 'after'],
] as const

test.for(KILLS)(
  'killed at %s, %s: no run accepts the unfinished ledger, and the repeated command succeeds',
  async ([at, when]) => {
    const archived = await fresh('sqlite', 'plain')
    const { place } = archived
    const { run, drop, query } = commandsOf(archived)
    expect(await ended(run)).toBe('ok')
    expect(await ended({ ...drop, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    expect(await ended(hold(place, '2020-Q2', 'a lawsuit'))).toBe('ok')
    const { counted } = await countedBy(query)
    await lose(place)
    // The tables of the ledger exist: the steps are those of its rows.
    expect(await ended(adopt(archived, { to: undefined }))).toMatch(/^PARTITION_STATE/)
    const { signal } = await startArchiver(adopt(archived), { at, when }).ended
    expect(signal).toBe('SIGKILL')
    const noted = await place.rows(`SELECT origin FROM migration_archives`)
    if (noted.length > 0 && String(noted[0]).includes('rebuilt')) {
      expect(await ended(run)).toMatch(/^ARCHIVE_FOREIGN: .* has not finished/)
      // A user holds another partition meanwhile, and gets an error that the archive does not record it.
      expect(await ended(hold(place, '2020-Q2', 'two lawsuits'))).toMatch(/^ARCHIVE_FOREIGN: .* is held/)
    }
    expect(await ended(adopt(archived))).toBe('ok')
    expect((await statesOf(place)).map((text) => text.replace('two lawsuits', 'a lawsuit'))).toEqual([
      '2020-Q1 DROPPED -',
      '2020-Q2 PUBLISHED a lawsuit',
    ])
    expect((await place.rows(`SELECT state FROM migration_archive_heads`)).map(String)).toEqual(['left'])
    expect((await countedBy(query)).counted).toBe(counted)
    expect(await ended(hold(place, '2020-Q2', null))).toBe('ok')
    expect(await ended(run)).toBe('ok')
    expect(await statesOf(place)).toEqual(['2020-Q1 DROPPED -', '2020-Q2 DETACHED -'])
  },
)

test.for([
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
] as const)(
  '%s, %s: expired partitions are known again, with their holds, and can be restored',
  { timeout: 120_000 },
  async ([system, form], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const archived = await fresh(system, form)
    const { place } = archived
    const { run, drop, restore, query, sweep } = commandsOf(archived)
    const { counted } = await countedBy(query)
    expect(await ended(run)).toBe('ok')
    expect(await ended(drop)).toBe('ok')
    const expire = {
      kind: 'archive-expire',
      from: place.url,
      table: TABLE,
      olderThan: '1q',
      partitions: [],
      retentionMs: 0,
      confirm: TABLE,
      dryRun: false,
    } as unknown as Operation
    expect(await ended(expire)).toBe('ok')
    expect(await ended(hold(place, '2020-Q1', 'a lawsuit'))).toBe('ok')
    const before = await ledgerOf(place)
    expect(before.partitions.map(([, state]) => state)).toEqual(['EXPIRED', 'EXPIRED'])
    const known = `SELECT retracted, expired_ms, swept_ms FROM migration_archive_partitions ORDER BY partition_name`
    const expired = await place.rows(known)
    await lose(place)
    expect(await ended(adopt(archived))).toBe('ok')
    expect((await ledgerOf(place)).tables).toEqual(before.tables)
    expect((await ledgerOf(place)).partitions.map((row) => row.slice(0, 11))).toEqual(
      before.partitions.map((row) => row.slice(0, 11)),
    )
    expect(await statesOf(place)).toEqual(['2020-Q1 EXPIRED a lawsuit', '2020-Q2 EXPIRED -'])
    // The log has the time of the commit, and the ledger an earlier one.
    const again = await place.rows(known)
    expect(again.map(([retracted, , swept]) => [retracted, swept])).toEqual([
      ['1', null],
      ['1', null],
    ])
    for (const [n, row] of again.entries()) {
      expect(Number(row[1])).toBeGreaterThanOrEqual(Number(expired[n]?.[1]))
    }
    // A held partition is not swept.
    expect(await ended(sweep)).toBe('ok')
    expect(await ended(hold(place, '2020-Q1', null))).toBe('ok')
    const first = { ...restore, partitions: ['2020-Q1'] } as Operation
    expect(await ended(first)).toBe('ok')
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['120']])
    expect((await countedBy(query)).counted).not.toBe(counted)
  },
)

test('late rows: parts of a period are known again, with or without their rows in the table', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place } = archived
  const { run, drop, restore, query, verify } = commandsOf(archived)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  await place.sql(
    `INSERT INTO ${TABLE} VALUES (501, '2020-02-02 00:00:00', 'late', 1), (502, '2020-02-03 00:00:00', NULL, 2)`,
  )
  const { counted } = await countedBy(query)
  // No row in the table is archived yet: the user must accept that.
  await lose(place)
  expect(await findingsOf(adopt(archived))).toEqual([
    '2020-Q1 differs from the source: 2 rows of its period are in the table, and none of them is archived',
    'PROOF_FAILED',
  ])
  expect((await findingsOf(adopt(archived, { accept: ['2020-Q1'] }))).at(-1)).toBe('ok')
  expect((await countedBy(query)).counted).toBe(counted)
  expect(await ended(run)).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 DROPPED -', '2020-Q1.part2 DETACHED -', '2020-Q2 DROPPED -'])
  const parts = `SELECT partition_name, period, part FROM migration_archive_partitions ORDER BY 1`
  const named = await place.rows(parts)
  await lose(place)
  expect(await ended(adopt(archived))).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 DROPPED -', '2020-Q1.part2 PUBLISHED -', '2020-Q2 DROPPED -'])
  expect(await place.rows(parts)).toEqual(named)
  expect((await countedBy(query)).counted).toBe(counted)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  await lose(place)
  expect(await ended(adopt(archived))).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 DROPPED -', '2020-Q1.part2 DROPPED -', '2020-Q2 DROPPED -'])
  expect((await countedBy(query)).counted).toBe(counted)
  expect(await ended({ ...verify, deep: true } as Operation)).toBe('ok')
  expect(await ended(restore)).toBe('ok')
  await lose(place)
  expect(await ended(adopt(archived))).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 RESTORED -', '2020-Q1.part2 RESTORED -', '2020-Q2 RESTORED -'])
  expect((await countedBy(query)).counted).toBe(counted)
})

/** Both quarters restored; then the ledger is lost. */
async function restoredFirst(system: System, form: Form): Promise<Archived & { readonly counted: string }> {
  const archived = await fresh(system, form)
  const { run, drop, restore, query } = commandsOf(archived)
  const { counted } = await countedBy(query)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  expect(await ended(restore)).toBe('ok')
  await lose(archived.place)
  return { ...archived, counted }
}

const sweepAll = ({ sweep }: ReturnType<typeof commandsOf>): Operation =>
  ({ ...sweep, retentionMs: 0, confirm: 'all' }) as Operation

test.for([
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
] as const)(
  '%s, %s: a restored partition without its rows is refused; if accepted, its files return to the archive',
  { timeout: 120_000 },
  async ([system, form], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const archived = await restoredFirst(system, form)
    const { place, counted } = archived
    const commands = commandsOf(archived)
    // As in a table from an older backup.
    const without =
      form === 'native'
        ? [`DROP TABLE ${TABLE}_0`, `DELETE FROM ${TABLE} WHERE at < '2020-07-01'`]
        : [`DELETE FROM ${TABLE} WHERE at < '2020-07-01'`]
    await place.sql(...without)
    const refused = [
      form === 'native'
        ? expect.stringMatching(/^2020-Q1 differs from the source: its table is gone, and its 60 rows are in its files/)
        : expect.stringMatching(/^2020-Q1 differs from the source: 60 archived rows are missing \(0; 1; 2; 3; 4 …\)/),
      expect.stringMatching(/^2020-Q2 differs from the source: 60 archived rows are missing/),
      'PROOF_FAILED',
    ]
    expect(await findingsOf(adopt(archived, { dryRun: true }))).toEqual(refused)
    expect(await findingsOf(adopt(archived))).toEqual(refused)
    const adopted = await perform(adopt(archived, { accept: ['2020-Q1', '2020-Q2'] }))
    expect(adopted.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '120', findings: '2' } })
    expect(await statesOf(place)).toEqual(['2020-Q1 DROPPED -', '2020-Q2 DROPPED -'])
    expect((await countedBy(commands.query)).counted).toBe(counted)
    expect(await ended(sweepAll(commands))).toBe('ok')
    expect(await ended({ ...commands.verify, deep: true } as Operation)).toBe('ok')
    expect(await ended(commands.restore)).toBe('ok')
    expect(
      await place.rows(`SELECT count(*), sum(id) FROM ${TABLE}`).then((rows) => rows[0]?.map(Number).join(' ')),
    ).toBe(counted)
  },
)

test('missing restored rows are refused, changed and late ones are not', async () => {
  const archived = await restoredFirst('sqlite', 'plain')
  const { place, counted } = archived
  const commands = commandsOf(archived)
  await place.sql(
    `UPDATE ${TABLE} SET note = 'changed' WHERE id IN (7, 100007)`,
    `INSERT INTO ${TABLE} VALUES (777, '2020-05-05 00:00:00', 'late', NULL)`,
  )
  const first = await perform(adopt(archived, { dryRun: true }))
  expect(first.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '120', findings: '0' } })
  await place.sql(`DELETE FROM ${TABLE} WHERE id IN (3, 100003)`, `UPDATE ${TABLE} SET note = NULL WHERE id = 7`)
  const refused = [
    expect.stringMatching(/^2020-Q1 differs from the source: 1 archived row is missing \(3\); /),
    expect.stringMatching(
      /^2020-Q2 differs from the source: 1 archived row is missing \(100003\), 1 row has other values \(100007\), 1 row was added later/,
    ),
    'PROOF_FAILED',
  ]
  expect(await findingsOf(adopt(archived))).toEqual(refused)
  expect((await findingsOf(adopt(archived, { accept: ['2020-Q1', '2020-Q2'] }))).at(-1)).toBe('ok')
  // Without other differences the archive answers for the whole period, as after an interrupted drop.
  expect(await statesOf(place)).toEqual(['2020-Q1 DETACHED -', '2020-Q2 PUBLISHED -'])
  expect(await ended(sweepAll(commands))).toBe('ok')
  expect(await ended({ ...commands.run, partitions: ['2020-Q2'] } as Operation)).not.toBe('ok')
  expect(await ended({ ...commands.restore, asChanged: true, confirm: TABLE } as Operation)).toBe('ok')
  await place.sql(`DELETE FROM ${TABLE} WHERE id = 777`)
  expect((await countedBy(commands.query)).counted).toBe(counted)
})

test('restored rows whose files are missing: the loss is reported, and accepting keeps the rest', async () => {
  const archived = await restoredFirst('sqlite', 'plain')
  const { place, archive } = archived
  await place.sql(`DELETE FROM ${TABLE} WHERE id < 40`)
  for (const label of ['2020-Q1', '2020-Q2']) rmSync(join(archive, `sluice_partition=${label}`), { recursive: true })
  expect(await findingsOf(adopt(archived))).toEqual([
    expect.stringMatching(
      /^2020-Q1 missing file: at least 40 of its 60 rows are neither in the table nor in the archive: version \d removed its files/,
    ),
    'PROOF_FAILED',
  ])
  const adopted = await perform(adopt(archived, { accept: ['2020-Q1'] }))
  // Only the number of rows could be compared.
  expect(adopted.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '0', findings: '1' } })
  expect(await statesOf(place)).toEqual(['2020-Q1 RESTORED -', '2020-Q2 RESTORED -'])
})

test('restored rows lost after an erasure that ended the history: the partition is refused by name', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place } = archived
  const { run, drop, restore } = commandsOf(archived)
  for (const operation of [run, drop, { ...restore, partitions: ['2020-Q1'] } as Operation])
    expect(await ended(operation)).toBe('ok')
  const erase = { kind: 'archive-erase', from: place.url, table: TABLE, where: 'id = 100003', reason: 'T-1' } as const
  expect(await ended({ ...erase, confirm: TABLE, dryRun: false })).toBe('ok')
  await lose(place)
  await place.sql(`DELETE FROM ${TABLE}`)
  const found =
    /^2020-Q1 differs from the source: .* an erasure destroyed the history .* the table has none of its rows$/
  expect(await findingsOf(adopt(archived))).toEqual([expect.stringMatching(found), 'PROOF_FAILED'])
  expect((await findingsOf(adopt(archived, { accept: ['2020-Q1'] }))).at(-1)).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 RESTORED -', '2020-Q2 DROPPED -'])
})

test('a backup from before an erasure is refused, with or without its ledger, and the erasure is named', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { place } = archived
  expect(await ended(commandsOf(archived).run)).toBe('ok')
  expect(await statesOf(place)).toEqual(['2020-Q1 DETACHED -', '2020-Q2 DETACHED -'])
  const file = place.url.slice('sqlite:///'.length)
  copyFileSync(file, `${file}.bak`)
  const erase = { kind: 'archive-erase', from: place.url, table: TABLE, where: 'id = 3', reason: 'T-1' } as const
  expect(await ended({ ...erase, confirm: TABLE, dryRun: false })).toBe('ok')
  const warned = async (): Promise<readonly [number, string]> => {
    const { events, finished } = await perform(adopt(archived, { accept: ['2020-Q1'], dryRun: true }))
    const messages = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    const named = messages.filter((message) => /ended an erasure that this ledger does not have/.test(message))
    // Only a backup that ends the difference is advised with a warning: it has the erased rows, too.
    const { code = 'ok', hint = '' } = finished.error ?? {}
    return [named.length, /backup/.test(hint) && !/before an erasure/.test(hint) ? hint : code]
  }
  expect(await warned()).toEqual([0, 'ok'])
  copyFileSync(`${file}.bak`, file)
  expect(await warned()).toEqual([1, 'PROOF_FAILED'])
  await lose(place)
  const found = '2020-Q1 differs from the source: 1 row was added later (3)'
  expect(await findingsOf(adopt(archived))).toEqual([found, 'PROOF_FAILED'])
  expect(await warned()).toEqual([1, 'ok'])
})
