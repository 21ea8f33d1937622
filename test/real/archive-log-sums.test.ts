/**
 * Each commit of an archive's log equals what the ledger recorded, byte for byte; commits of other programs are
 * reported as not compared.
 */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { rowsDatabase } from '../judges/compared.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-log-sums-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ['mysql', 'plain'],
] as const

const commitsOf = ({ archive }: Archived): readonly string[] =>
  readdirSync(join(archive, '_delta_log'))
    .filter((name) => /^\d{20}\.json$/.test(name))
    .toSorted()
    .map((name) => join(archive, '_delta_log', name))

const findingsOf = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'archive.finding' ? [event.finding] : []))
const uncompared = ({ finished }: Ran): string | undefined =>
  /(\d+ of \d+) commits of the log of/.exec(finished.notChecked ?? '')?.[1]

async function ok(operation: Operation): Promise<void> {
  expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
}

/** Two partitions in the log, one of them restored: commits that create, append and remove. */
async function archived(system: Place['system'], form: Archived['form']): Promise<Archived> {
  const made = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 20)
  await ok(commandsOf(made).run)
  await ok({ ...commandsOf(made).restore, partitions: ['2020-Q2'] } as Operation)
  // In MySQL the folder is also named after the database.
  return { ...made, archive: join(made.to, readdirSync(made.to)[0] ?? '') }
}

/**
 * Where a bit is flipped: the commit, and the text before the byte. Half of the results are JSON with the same meaning
 * for most readers.
 */
const PLACES: readonly (readonly [commit: number, before: RegExp])[] = [
  [0, /"tags":\{"sluice\.so/],
  [0, /"sluice\.table":"/],
  [0, /"sluice\.partition":"20/],
  [0, /"sluice\.from":"202/],
  [0, /"sluice\.checksum":"../],
  [0, /"sluice\.sha256":"../],
  [0, /"sluice\.columns":"/],
  [0, /"sluice\.tool":"/],
  [0, /"sluice\.run":"1/],
  [0, /\\"nullable\\":/],
  [0, /\\"name\\":\\"/],
  [0, /"createdTime":17/],
  [0, /"operationParameters":\{"mode":"Ap/],
  [0, /"partitionBy":"\[\\"/],
  [0, /"operationMetrics":\{"numFiles":"/],
  [0, /"engineInfo":"slu/],
  [0, /"txnId":"/],
  [0, /"timestamp":17/],
  [0, /"modificationTime":17/],
  [1, /"lastUpdated":17/],
  [1, /\\"minValues\\":\{\\"/],
  [2, /"predicate":"\[\\"\(/],
  [2, /"operation":"DEL/],
  [2, /"deletionTimestamp":17/],
]

describe.each(SYSTEMS)('%s', { timeout: 120_000 }, async (system, form) => {
  const why = await missing(system)

  test.skipIf(why !== '')('each of 24 flipped bits is detected', async () => {
    const made = await archived(system, form)
    const { verify } = commandsOf(made)
    const clean = await perform(verify)
    expect(clean.finished).toMatchObject({ exitCode: 0 })
    expect(uncompared(clean)).toBeUndefined()
    const unseen: string[] = []
    for (const [number, before] of PLACES) {
      const file = commitsOf(made)[number] ?? ''
      const bytes = readFileSync(file)
      const found = before.exec(bytes.toString('latin1'))
      if (found === null) throw new Error(`${String(before)} is not in commit ${number}`)
      const turned = Buffer.from(bytes)
      const at = found.index + found[0].length
      turned[at] = (turned[at] ?? 0) ^ 1
      writeFileSync(file, turned)
      const ran = await perform(verify)
      if (ran.finished.exitCode !== 1 || !findingsOf(ran).includes('broken log')) unseen.push(String(before))
      writeFileSync(file, bytes)
    }
    expect(unseen).toEqual([])
    await ok(verify)
  })
})

describe('the ledger against the tags of the files', { timeout: 120_000 }, () => {
  const EDITS = [
    ['from_bound', "'2019-12-31'", /from 20.* in the log, and .* from 2019-12-31 .* in the ledger/],
    ['to_bound', "'2020-02-01'", /to 20.* in the log, and .* to 2020-02-01 in the ledger/],
    ['to_bound', 'NULL', /to 20.* in the log, and .* without an end in the ledger/],
  ] as const

  test.for(SYSTEMS)('%s: a bound that was changed in the ledger is found', async ([system, form], context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const made = await archived(system, form)
    const { verify } = commandsOf(made)
    const where = "WHERE partition_name = '2020-Q1'"
    for (const [column, value, detail] of EDITS) {
      const [[before] = []] = await made.place.rows(`SELECT ${column} FROM migration_archive_partitions ${where}`)
      const set = (to: string): Promise<void> =>
        made.place.sql(`UPDATE migration_archive_partitions SET ${column} = ${to} ${where}`)
      await set(value)
      const { finished, events } = await perform(verify)
      expect(finished.error).toMatchObject({
        code: 'PROOF_FAILED',
        hint: expect.stringContaining('from_bound') as string,
      })
      const found = events.filter((event) => event.type === 'archive.finding' && event.finding === 'other bounds')
      expect(found).toMatchObject([{ partition: '2020-Q1', detail: expect.stringMatching(detail) as string }])
      await set(`'${String(before)}'`)
    }
    await ok(verify)
  })
})

describe('checkpoints', { timeout: 120_000 }, () => {
  const checkpointOf = ({ archive }: Archived): string =>
    join(archive, '_delta_log', `${'10'.padStart(20, '0')}.checkpoint.parquet`)

  /** Eleven commits, and a checkpoint. */
  async function longLog(): Promise<Archived> {
    const made = await archived('sqlite', 'plain')
    for (const reason of ['A', null, 'B', null, 'C', null, 'D', null])
      await ok({ kind: 'archive-hold', from: made.place.url, table: TABLE, partitions: ['2020-Q1'], reason })
    return made
  }

  async function edit(path: string, columns: string): Promise<void> {
    using db = await rowsDatabase()
    await db.connection.run(`COPY (SELECT * REPLACE (${columns}) FROM '${path}') TO '${path}.new' (FORMAT parquet)`)
    renameSync(`${path}.new`, path)
  }

  test.for([
    [
      'statistics of a file',
      `CASE WHEN add IS NULL THEN add ELSE struct_update(add, stats := replace(add.stats, '"maxValues":{', '"maxValues":{"x":1,')) END AS add`,
      /sluice_partition=2020-Q1/,
    ],
    [
      'the size of a file',
      'CASE WHEN add IS NULL THEN add ELSE struct_update(add, size := add.size + 1) END AS add',
      /sluice_partition=2020-Q1/,
    ],
    ['a file', 'NULL AS add', /sluice_partition=2020-Q1/],
    [
      'the metadata',
      `CASE WHEN metaData IS NULL THEN metaData ELSE struct_update(metaData, name := 'other') END AS metaData`,
      /its metadata/,
    ],
  ] as const)('is compared with the commits: %s', async ([, columns, detail]) => {
    const made = await longLog()
    const { verify } = commandsOf(made)
    const clean = await perform(verify)
    expect([clean.finished.exitCode, clean.finished.notChecked ?? '']).toEqual([
      0,
      expect.not.stringContaining('the log of'),
    ])
    const then = { ...made, file: readFileSync(checkpointOf(made)) }
    await edit(checkpointOf(made), columns)
    const { finished, events } = await perform(verify)
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' } })
    const details = events.flatMap((event) => (event.type === 'archive.finding' ? [event.detail] : []))
    expect(details).toContainEqual(expect.stringMatching(/^checkpoint 10 differs from the commits in /))
    expect(details).toContainEqual(expect.stringMatching(detail))
    writeFileSync(checkpointOf(made), then.file)
    await ok(verify)
  })

  test('an older checkpoint, from which time travel starts, is compared, too', async () => {
    const made = await longLog()
    const hold = (reason: string | null): Promise<void> =>
      ok({ kind: 'archive-hold', from: made.place.url, table: TABLE, partitions: ['2020-Q1'], reason })
    for (let i = 0; i < 5; i++) for (const reason of [`E${i}`, null]) await hold(reason)
    const names = readdirSync(join(made.archive, '_delta_log')).filter((name) => name.includes('.checkpoint.'))
    expect(names.map((name) => Number.parseInt(name, 10))).toEqual([10, 20])
    const { verify } = commandsOf(made)
    await ok(verify)
    await edit(
      checkpointOf(made),
      `CASE WHEN add IS NULL THEN add ELSE struct_update(add, tags := map_from_entries([{key: 'other', value: 'tag'}])) END AS add`,
    )
    const { finished, events } = await perform(verify)
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' } })
    const details = events.flatMap((event) => (event.type === 'archive.finding' ? [event.detail] : []))
    expect(details).toEqual([expect.stringMatching(/^checkpoint 10 differs from the commits in sluice_partition=/)])
  })

  test('a commit that is gone, and the checkpoint that cannot be compared without it, are named', async () => {
    const made = await longLog()
    rmSync(commitsOf(made)[3] ?? '')
    const { finished } = await perform(commandsOf(made).verify)
    expect(finished.exitCode).toBe(0)
    expect(finished.notChecked).toMatch(/commits that this ledger wrote are gone from the log of bookings: 3;/)
    expect(finished.notChecked).toMatch(/checkpoint 10 of the log of bookings was not compared/)
  })
})

const adopt = (url: string, more: object = {}): Operation => ({
  kind: 'archive-adopt',
  from: url,
  table: TABLE,
  confirm: TABLE,
  accept: [],
  dryRun: false,
  ...more,
})

describe('commits that the ledger cannot check', { timeout: 120_000 }, () => {
  test('commits of an older program are not compared; those that follow are', async () => {
    const made = await archived('sqlite', 'plain')
    const { verify, restore } = commandsOf(made)
    await made.place.sql(
      'DROP TABLE migration_archive_commits',
      'DELETE FROM migration_archive_ledger',
      'INSERT INTO migration_archive_ledger (version) VALUES (9)',
    )
    const old = await perform(verify)
    expect(old.finished).toMatchObject({ exitCode: 0 })
    expect(uncompared(old)).toBe('3 of 3')
    await ok({ ...restore, partitions: ['2020-Q1'] } as Operation)
    const count = commitsOf(made).length
    expect(count).toBeGreaterThan(3)
    expect(uncompared(await perform(verify))).toBe(`3 of ${count}`)
  })

  test('a commit of a program killed before it settled is compared; one with another digest is not', async () => {
    const made = await archived('sqlite', 'plain')
    const { verify } = commandsOf(made)
    await made.place.sql(
      "UPDATE migration_archive_commits SET state = 'intended' WHERE delta_version = 2",
      "UPDATE migration_archive_heads SET state = 'intended'",
    )
    const killed = await perform(verify)
    expect([killed.finished.exitCode, uncompared(killed)]).toEqual([0, undefined])
    await made.place.sql("UPDATE migration_archive_commits SET sha256 = 'of ours' WHERE delta_version = 2")
    const lost = await perform(verify)
    expect([lost.finished.exitCode, uncompared(lost)]).toEqual([0, '1 of 3'])
  })

  test('commits of a second ledger, before and after an adoption', async () => {
    const made = await archived('sqlite', 'plain')
    const file = made.place.url.slice('sqlite:///'.length)
    const url = `sqlite:///${file}-second.db`
    copyFileSync(file, `${file}-second.db`)
    await ok(adopt(url))
    const second = { ...commandsOf({ ...made, place: { url } }) }
    await ok(second.run)
    const before = commitsOf(made).length
    const own = await perform(second.verify)
    expect([own.finished.exitCode, uncompared(own)]).toEqual([0, undefined])
    // The first ledger has recorded another commit that the log does not contain.
    await made.place.sql(
      `INSERT INTO migration_archive_commits SELECT schema_name, table_name, 3, 77, 'of ours', 'landed' FROM migration_archives`,
    )
    const other = await perform(commandsOf(made).verify)
    expect(findingsOf(other)).toContain('foreign archive')
    expect(findingsOf(other)).not.toContain('broken log')
    expect(uncompared(other)).toBe(`${before - 3} of ${before}`)
    await ok(adopt(made.place.url))
    const again = await perform(commandsOf(made).verify)
    expect([again.finished.exitCode, uncompared(again)]).toEqual([0, `${before - 3} of ${before + 1}`])
  })

  test('a rebuilt ledger checks its own commits only, and an erasure leaves no digest of what it destroyed', async () => {
    const made = await archived('sqlite', 'plain')
    for (const one of [
      's',
      '_partitions',
      '_history',
      '_heads',
      '_ledger',
      '_commits',
      '_erasures',
      '_erased',
      '_sweeps',
    ])
      await made.place.sql(`DROP TABLE migration_archive${one}`)
    await ok(adopt(made.place.url, { to: made.archive }))
    const { verify } = commandsOf(made)
    expect(uncompared(await perform(verify))).toBe('3 of 4')
    const erase = { kind: 'archive-erase', from: made.place.url, table: TABLE, where: 'id = 3', reason: 'T1' }
    await ok({ ...erase, confirm: TABLE, dryRun: false } as Operation)
    const left = await made.place.rows('SELECT min(delta_version) FROM migration_archive_commits')
    const first = /(\d{20})\.json$/.exec(commitsOf(made)[0] ?? '')?.[1]
    expect(left).toEqual([[String(Number(first))]])
    const ran = await perform(verify)
    expect([ran.finished.exitCode, uncompared(ran)]).toEqual([0, undefined])
  })
})
