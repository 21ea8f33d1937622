/** An archive folder whose files were edited: the source keeps its rows, and each command reports the damage. */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, observe, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, type Ran, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-edited-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Edit = {
  readonly does: (place: { readonly file: string; readonly commit: string; readonly archive: string }) => void
  /** How `archive verify` reports it. */
  readonly finding: RegExp
}

const EDITS: Readonly<Record<string, Edit>> = {
  'a file is deleted': { does: ({ file }) => rmSync(file), finding: /^missing file$/ },
  'a bit is flipped': {
    does: ({ file }) => {
      const bytes = readFileSync(file)
      bytes[60] = (bytes[60] ?? 0) ^ 4
      writeFileSync(file, bytes)
    },
    finding: /^(?:changed|unreadable) file$|^other rows$/,
  },
  'a file is cut': {
    does: ({ file }) => truncateSync(file, readFileSync(file).length - 100),
    finding: /^changed file$/,
  },
  'a file is longer': { does: ({ file }) => appendFileSync(file, 'more'), finding: /^changed file$/ },
  'a commit says another size': {
    does: ({ commit }) => writeFileSync(commit, readFileSync(commit, 'utf8').replace(/"size":(\d)/, '"size":1$1')),
    finding: /^not in the log$|^broken log$/,
  },
  'a commit is removed': { does: ({ commit }) => rmSync(commit), finding: /^broken log$|^not in the log$/ },
  'a commit is cut': {
    does: ({ commit }) => truncateSync(commit, readFileSync(commit).length >> 1),
    finding: /^broken log$/,
  },
  'the log is removed': {
    does: ({ archive }) => rmSync(join(archive, '_delta_log'), { recursive: true }),
    finding: /^not in the log$|^broken log$/,
  },
}

/** The file and the commit of the partition that was archived first. */
function firstOf(archive: string): { readonly file: string; readonly commit: string; readonly archive: string } {
  const data = join(archive, 'sluice_partition=2020-Q1')
  const [name = ''] = readdirSync(data).filter((one) => one.endsWith('.parquet'))
  return { file: join(data, name), commit: join(archive, '_delta_log', `${'0'.repeat(20)}.json`), archive }
}

const errorsOf = ({ events, finished }: Ran): readonly string[] => [
  ...events.flatMap((event) => (event.type === 'archive.state' && event.error !== undefined ? [event.error.code] : [])),
  ...(finished.error === undefined ? [] : [finished.error.code]),
]
const findingsOf = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'archive.finding' ? [event.finding] : []))

const SYSTEMS: readonly (readonly [System, Form])[] = [
  ['postgresql', 'native'],
  ...(ALL ? ([['sqlite', 'plain']] as const) : []),
]

describe.each(SYSTEMS)('%s, %s', (system, form) => {
  const STAGES = ['detach', 'drop', 'restore'] as const
  /** Each stage tests some edits, and all stages together test all. */
  const editsOf = (stage: (typeof STAGES)[number]): readonly (readonly [string, Edit])[] =>
    Object.entries(EDITS).filter((_, i) => ALL || (i + STAGES.indexOf(stage)) % 3 !== 0)

  test.for(STAGES)(
    'edited files are reported before %s, and ledger and source stay unchanged',
    { timeout: 120_000 },
    async (stage, context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const archived: Archived = await makeBookings(
        await makePlace(system, folder),
        form,
        mkdtempSync(join(folder, 'to-')),
      )
      await using observer = await observe(archived)
      const { run, drop, restore, verify } = commandsOf(archived)
      const published = { ...run, detach: false } as Operation
      for (const one of stage === 'detach' ? [published] : stage === 'drop' ? [run] : [run, drop]) {
        expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
      }
      const ledger = (): Promise<unknown> =>
        archived.place.rows(
          `SELECT partition_name, state, removed_rows FROM migration_archive_partitions WHERE partition_name = '2020-Q1'`,
        )
      const sound = `${archived.archive}-sound`
      cpSync(archived.archive, sound, { recursive: true })
      const command = { detach: run, drop, restore: { ...restore, partitions: ['2020-Q1'] } as Operation }[stage]
      const source = await sourceOf(archived)
      const then = await ledger()
      for (const [name, { does, finding }] of editsOf(stage)) {
        does(firstOf(archived.archive))
        const inspected = await perform(verify)
        expect(inspected.finished, name).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' } })
        expect(findingsOf(inspected).length, name).toBeGreaterThan(0)
        for (const found of findingsOf(inspected)) expect(found, name).toMatch(finding)
        const ran = await perform(command)
        expect(ran.finished.exitCode, name).not.toBe(0)
        expect(errorsOf(ran)[0], name).toMatch(
          /^(?:ARCHIVE_CONFLICT|PROOF_FAILED|LOG_GAP|BAD_ACTION|SOURCE_IO|SOURCE_GONE)$/,
        )
        expect(await ledger(), name).toEqual(then)
        expect(await sourceOf(archived), name).toEqual(source)
        rmSync(archived.archive, { recursive: true })
        cpSync(sound, archived.archive, { recursive: true })
      }
      // A file that is not part of the archive does not matter.
      writeFileSync(join(archived.archive, 'sluice_partition=2020-Q1', 'foreign.parquet'), 'PAR1')
      expect((await perform(command)).finished).toMatchObject({ exitCode: 0 })
      expect((await observer.look()).problems).toEqual([])
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    },
  )
})

/** Rows of the first partition, in the table or in its detached table. */
async function sourceOf({ place, form }: Archived): Promise<unknown> {
  const count = `count(*), sum(id), min(note), max(note)`
  const here = await place.rows(`SELECT ${count} FROM ${TABLE} WHERE id < 100000`)
  if (form === 'plain') return here
  const names = await place.rows(`SELECT tablename FROM pg_tables WHERE schemaname = 'sluice_archived' ORDER BY 1`)
  const first = names.filter(([name]) => name?.startsWith(`${TABLE}_0`))
  return [
    here,
    ...(await Promise.all(first.map(([name]) => place.rows(`SELECT ${count} FROM sluice_archived."${name}"`)))),
  ]
}
