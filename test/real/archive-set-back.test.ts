/**
 * Ledger and archive are from different times, and all files are complete: the printed commands lead to a `verify`
 * without findings.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { cloneOf } from '../support/clones.ts'
import { makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
const QUARTERS = ['2020-Q1', '2020-Q2']

const codeOf = ({ finished }: Ran): string => finished.error?.code ?? 'ok'
const notesOf = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
const findingsOf = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'archive.finding' ? [`${event.partition ?? ''} ${event.finding}: ${event.detail}`] : [],
  )

function adoptOf({ url }: Pick<Place, 'url'>, accept: readonly string[] = [], dryRun = false): Operation {
  return { kind: 'archive-adopt', from: url, table: TABLE, confirm: TABLE, accept, dryRun }
}

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-set-back-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const dropped = async (): Promise<Archived> => {
    const made = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 20)
    const { run, drop } = commandsOf(made)
    for (const operation of [run, drop]) expect(codeOf(await perform(operation))).toBe('ok')
    // In MySQL the folder is also named after the database.
    return { ...made, archive: join(made.to, readdirSync(made.to)[0] ?? '') }
  }
  const filesOf = ({ archive }: Archived): readonly string[] =>
    readdirSync(archive, { recursive: true })
      .map(String)
      .filter((path) => path.endsWith('.parquet'))

  test.skipIf(why !== '')(
    'a ledger from before an erasure adopts the present rows of the archive if its files are complete',
    { timeout: 120_000 },
    async () => {
      const made = await dropped()
      const backup = await cloneOf(made.place, 'backup', folder)
      const erase: Operation = {
        kind: 'archive-erase',
        from: made.place.url,
        table: TABLE,
        where: 'id in (3, 4, 100005)',
        reason: 'T-1',
        confirm: TABLE,
        dryRun: false,
      }
      expect(codeOf(await perform(erase))).toBe('ok')
      const { verify, query, restore } = commandsOf({ ...made, place: backup })
      const refused = await perform(adoptOf(backup))
      expect(codeOf(refused)).toBe('PROOF_FAILED')
      expect(findingsOf(refused).toSorted()).toEqual([
        expect.stringMatching(/^2020-Q1 other rows: .*18 rows now, 20 when it was exported.*read.*whole/),
        expect.stringMatching(/^2020-Q2 other rows: .*19 rows now, 20 when it was exported.*read.*whole/),
      ])
      expect(refused.finished.error?.hint).toContain('--accept-difference LABEL')
      // A damaged file is not adopted, and is named.
      const kept = `${made.archive}-kept`
      cpSync(made.archive, kept, { recursive: true })
      const [cut = ''] = filesOf(made).filter((path) => path.includes('2020-Q1'))
      truncateSync(join(made.archive, cut), 100)
      const damaged = await perform(adoptOf(backup, QUARTERS))
      expect(codeOf(damaged)).toBe('PROOF_FAILED')
      expect(findingsOf(damaged).join('\n')).toContain(cut)
      expect(damaged.finished.error?.hint).toContain('2020-Q1')
      expect(damaged.finished.error?.hint).not.toContain('--accept-difference')
      rmSync(made.archive, { recursive: true })
      cpSync(kept, made.archive, { recursive: true })
      const would = await perform(adoptOf(backup, QUARTERS, true))
      expect(notesOf(would).join('\n')).toMatch(/2020-Q1: .*would get the 18 rows.*20/)
      const taken = await perform(adoptOf(backup, QUARTERS))
      expect([codeOf(taken), taken.finished.exitCode]).toEqual(['ok', 0])
      expect(notesOf(taken).join('\n')).toMatch(/2020-Q1: the ledger gets the 18 rows.*20/)
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { findings: '0', rows: '37' } })
      const ids = 37 + 20
      expect((await countedBy(query)).counted.split(' ')[0]).toBe(String(ids))
      expect(codeOf(await perform(restore))).toBe('ok')
      expect((await countedBy(query)).counted.split(' ')[0]).toBe(String(ids))
      expect(codeOf(await perform(verify))).toBe('ok')
    },
  )

  test.skipIf(why !== '')(
    'an archive from before a restore or an expiry: its present log does not name these files',
    { timeout: 120_000 },
    async () => {
      const made = await dropped()
      const { verify, query, restore, run } = commandsOf(made)
      const before = `${made.archive}-before`
      cpSync(made.archive, before, { recursive: true })
      const { counted } = await countedBy(query)
      expect(codeOf(await perform({ ...restore, partitions: ['2020-Q1'] } as Operation))).toBe('ok')
      const expire: Operation = {
        kind: 'archive-expire',
        from: made.place.url,
        table: TABLE,
        confirm: TABLE,
        olderThan: '2y',
        partitions: ['2020-Q2'],
        retentionMs: 86_400_000,
        dryRun: false,
      }
      expect(codeOf(await perform(expire))).toBe('ok')
      const left = (await countedBy(query)).counted
      rmSync(made.archive, { recursive: true })
      cpSync(before, made.archive, { recursive: true })
      expect(codeOf(await perform(run))).toBe('ARCHIVE_FOREIGN')
      const would = await perform(adoptOf(made.place, [], true))
      expect(notesOf(would).join('\n')).toMatch(/2020-Q1: the ledger says RESTORED.*would/)
      const adopted = await perform(adoptOf(made.place))
      expect(codeOf(adopted)).toBe('ok')
      expect(notesOf(adopted).join('\n')).toMatch(/2020-Q1: the ledger says RESTORED/)
      expect(notesOf(adopted).join('\n')).toMatch(/2020-Q2: the ledger says EXPIRED/)
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toBe(left)
      // Each file still exists: the expired partition can be restored.
      expect(codeOf(await perform({ ...restore, partitions: ['2020-Q2'] } as Operation))).toBe('ok')
      expect((await countedBy(query)).counted).toBe(counted)
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    },
  )

  test.skipIf(why !== '')(
    'one commit of the log is lost: queries still read the files that the ledger names',
    { timeout: 120_000 },
    async () => {
      const made = await dropped()
      const { verify, query, restore } = commandsOf(made)
      // Another commit after the lost one.
      expect(codeOf(await perform(adoptOf(made.place)))).toBe('ok')
      const { counted } = await countedBy(query)
      rmSync(join(made.archive, '_delta_log', `${'1'.padStart(20, '0')}.json`))
      expect((await countedBy(query)).counted).toBe(counted)
      const found = await perform(verify)
      expect(codeOf(found)).toBe('PROOF_FAILED')
      expect(found.finished.totals).toMatchObject({ files: '2', rows: '40', findings: '1' })
      expect(findingsOf(found).join('\n')).toContain('commit 1')
      expect(found.finished.error?.hint).toContain('restore its missing commits from a backup')
      for (const operation of [adoptOf(made.place), restore]) {
        const { error } = (await perform(operation)).finished
        expect(error).toMatchObject({ code: 'LOG_GAP', message: expect.stringContaining('commit 1 is missing') })
        expect(error?.hint).toContain('from a backup of the archive')
        expect(error?.hint).toContain('restore --into')
        expect(error?.hint).not.toContain('import')
      }
      for (const [into, where, rows] of [
        ['looked_at', undefined, '40'],
        ['some_of_it', 'id = 3', '1'],
      ] as const) {
        const elsewhere = { ...restore, into, ...(where === undefined ? {} : { where }) } as Operation
        expect(codeOf(await perform(elsewhere))).toBe('ok')
        expect(await made.place.rows(`SELECT count(*) FROM ${into}`)).toEqual([[rows]])
      }
      const [cut = ''] = filesOf(made)
      truncateSync(join(made.archive, cut), 100)
      expect(findingsOf(await perform(verify)).join('\n')).toContain('changed file')
      expect(codeOf(await perform({ ...restore, into: 'not_this' } as Operation))).toBe('ARCHIVE_CONFLICT')
      expect(existsSync(join(made.archive, cut))).toBe(true)
    },
  )
})
