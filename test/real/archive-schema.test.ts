/**
 * Columns of a table change while older partitions are archived: their values stay readable, and are restored into the
 * present columns.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ['postgresql', 'plain'],
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
const [OLD, NEW] = ['2020-Q1', '2020-Q2'] as const

const said = ({ events }: Ran): string =>
  events
    .flatMap((event) =>
      event.type === 'log' ? [event.message] : event.type === 'archive.planned' ? [event.note ?? ''] : [],
    )
    .join('\n')

type Commit = { readonly metaData?: { readonly schemaString: string; readonly configuration: Record<string, string> } }
type SchemaField = {
  readonly name: string
  readonly type: string
  readonly metadata: Record<string, string | number | undefined>
}

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-schema-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** The first quarter is archived; then the table is altered. */
  const archived = async (stage: 'published' | 'detached' | 'dropped', ...altered: readonly string[]) => {
    const bookings = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 60)
    const { place, to } = bookings
    const commands = commandsOf(bookings)
    const only = (label: string, more: object = {}): Operation & { kind: 'archive' } => ({
      ...(commands.run as Operation & { kind: 'archive' }),
      partitions: [label],
      ...more,
    })
    expect((await perform(only(OLD, { detach: stage !== 'published' }))).finished).toMatchObject({ exitCode: 0 })
    if (stage === 'dropped')
      expect((await perform(only(OLD, { drop: true, confirm: TABLE }))).finished).toMatchObject({ exitCode: 0 })
    await place.sql(...altered)
    const asked = async (query: string): Promise<readonly (readonly unknown[])[]> => {
      const ran = await perform({ ...commands.query, query } as Operation)
      expect(ran.finished).toMatchObject({ exitCode: 0 })
      return ran.events.flatMap((event) => (event.type === 'row' ? [event.values.map(String)] : []))
    }
    return {
      place,
      only,
      asked,
      restore: { ...commands.restore, partitions: [OLD] } as Operation & { kind: 'restore' },
      verify: { ...commands.verify, deep: true } as Operation,
      states: async () =>
        Object.fromEntries(await place.rows('SELECT partition_name, state FROM migration_archive_partitions')),
      /** Fields of the newest schema, as `name physical type`. */
      fields: () => {
        const log = join(to, readdirSync(to)[0] ?? '', '_delta_log')
        const commits = readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name))
        const [metadata] = commits
          .toSorted()
          .flatMap((name) => readFileSync(join(log, name), 'utf8').trim().split('\n'))
          .flatMap((line) => (JSON.parse(line) as Commit).metaData ?? [])
          .toReversed()
        const { fields } = JSON.parse(metadata?.schemaString ?? '{}') as { readonly fields: readonly SchemaField[] }
        return fields.map(
          ({ name, type, metadata: about }) =>
            // An integer of SQLite has 64 bits.
            `${name} ${String(about['delta.columnMapping.physicalName'] ?? name)} ${type === 'long' ? 'integer' : type}`,
        )
      },
    }
  }

  test.skipIf(why !== '')(`a column is added${why}`, async () => {
    const { only, asked, restore, verify, fields, states, place } = await archived(
      'dropped',
      `ALTER TABLE ${TABLE} ADD COLUMN extra integer DEFAULT 7`,
      `ALTER TABLE ${TABLE} ADD COLUMN plain integer`,
    )
    const planned = await perform(only(NEW, { dryRun: true }))
    expect(said(planned)).toContain('extra is new: the next publication adds it to the archive')
    const stored = place.system === 'sqlite' ? 'VIRTUAL' : 'STORED'
    await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN g integer GENERATED ALWAYS AS (extra + 1) ${stored}`)
    expect(said(await perform(only(NEW, { dryRun: true })))).toMatch(
      /g is new: .* get the value that the database computes/,
    )
    await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN g`)
    expect(fields()).toHaveLength(5)
    expect((await perform(only(NEW))).finished).toMatchObject({ exitCode: 0 })
    expect(fields()).toEqual([
      ...fields().slice(0, 4),
      'extra extra integer',
      'plain plain integer',
      'sluice_partition sluice_partition string',
    ])
    const counts = `SELECT count(*), count(extra), sum(extra), count(plain) FROM ${TABLE}`
    expect(await asked(counts)).toEqual([['180', '120', '840', '0']])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    const foretold = await perform({ ...restore, dryRun: true })
    expect(said(foretold)).toContain(
      'extra is not in the files, and gets its default; plain is not in the files, and gets NULL',
    )
    const restored = await perform(restore)
    expect(restored.finished).toMatchObject({ exitCode: 0 })
    expect(said(restored)).toContain('extra is not in the files, and gets its default')
    expect(await states()).toEqual({ [OLD]: 'RESTORED', [NEW]: 'DETACHED' })
    expect(await place.rows(`SELECT count(*), sum(extra) FROM ${TABLE} WHERE at < '2020-04-01'`)).toEqual([
      ['60', '420'],
    ])
    expect(await asked(counts)).toEqual([['180', '180', '1260', '0']])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(only(OLD))).finished).toMatchObject({ exitCode: 0 })
    expect(await asked(counts)).toEqual([['180', '180', '1260', '0']])
  })

  test.skipIf(why !== '' || system !== 'postgresql')(`an identity column is added${why}`, async () => {
    const { only, restore, place } = await archived(
      'dropped',
      `ALTER TABLE ${TABLE} ADD COLUMN id2 bigint GENERATED ALWAYS AS IDENTITY`,
    )
    const note = said(await perform(only(NEW, { dryRun: true })))
    expect(note).toMatch(
      /id2 is new: .* older files have NULL there, and rows restored from them get new numbers; a partition/,
    )
    expect((await perform(only(NEW))).finished).toMatchObject({ exitCode: 0 })
    for (const dryRun of [true, false]) {
      const ran = await perform({ ...restore, dryRun })
      if (form === 'plain') {
        expect(ran.finished).toMatchObject({ exitCode: 0 })
        expect(said(ran)).toContain('id2 is not in the files, and gets a number that the database generates')
        continue
      }
      expect(JSON.stringify([ran.finished, said(ran)])).toContain('id2 needs a value, and has no default')
    }
    if (form === 'plain')
      expect(await place.rows(`SELECT count(id2) FROM ${TABLE} WHERE at < '2020-04-01'`)).toEqual([['60']])
  })

  test.skipIf(why !== '')(`a detached partition is restored with the present columns${why}`, async () => {
    const { only, asked, restore, verify, states } = await archived(
      'detached',
      `ALTER TABLE ${TABLE} ADD COLUMN extra integer DEFAULT 7`,
    )
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await states()).toEqual({ [OLD]: 'RESTORED' })
    expect(await asked(`SELECT count(*), count(extra) FROM ${TABLE}`)).toEqual([['180', '180']])
    expect((await perform(only(OLD))).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '')(`a column is dropped${why}`, async () => {
    const { only, asked, restore, verify, fields, states, place } = await archived(
      'dropped',
      `ALTER TABLE ${TABLE} DROP COLUMN note`,
    )
    expect(said(await perform(only(NEW, { dryRun: true })))).toContain('note is gone: the next publication removes it')
    expect((await perform(only(NEW))).finished).toMatchObject({ exitCode: 0 })
    expect(fields().map((field) => field.split(' ')[0])).toEqual(['sluice_partition', 'id', 'at', 'amount'])
    expect(await asked(`SELECT * FROM ${TABLE} WHERE id = 1`)).toHaveLength(1)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    // A new column with the old name does not show values of old files.
    await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN note integer`)
    expect(await asked(`SELECT count(*), count(note) FROM ${TABLE}`)).toEqual([['180', '0']])
    const refused = await perform(restore)
    expect(refused.finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect(refused.finished.error?.message).toContain(
      'its column note was dropped, and the present column note of the table was added later',
    )
    expect(refused.finished.error?.hint).toContain('--without note')
    const foretold = await perform({ ...restore, dryRun: true, without: ['note'] })
    expect(said(foretold)).toContain('note is left out, and its values stay only in older versions of the archive')
    expect((await perform({ ...restore, without: ['note'] })).finished).toMatchObject({ exitCode: 0 })
    expect(await states()).toEqual({ [OLD]: 'RESTORED', [NEW]: 'DETACHED' })
    expect(await asked(`SELECT count(*), count(note), count(amount) FROM ${TABLE}`)).toEqual([['180', '0', '144']])
    expect((await perform(only(OLD))).finished).toMatchObject({ exitCode: 0 })
    expect(fields().filter((field) => field.startsWith('note '))).toEqual([
      expect.stringMatching(/^note col-\d+ integer$/),
    ])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '')(`a detached partition loses a column only with --without${why}`, async () => {
    const { restore, verify, states, asked } = await archived('detached', `ALTER TABLE ${TABLE} DROP COLUMN note`)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(restore)).finished.error?.message).toContain('the table no longer has the column note')
    expect(await states()).toEqual({ [OLD]: 'DETACHED' })
    expect((await perform({ ...restore, without: ['note'] })).finished).toMatchObject({ exitCode: 0 })
    expect(await states()).toEqual({ [OLD]: 'RESTORED' })
    expect(await asked(`SELECT count(*), count(amount) FROM ${TABLE}`)).toEqual([['180', '144']])
  })

  test.skipIf(why !== '')(`a column is renamed${why}`, async () => {
    const { only, asked, restore, verify, fields, states } = await archived(
      'dropped',
      `ALTER TABLE ${TABLE} RENAME COLUMN note TO remark`,
    )
    const first = await perform(only(NEW))
    if (system === 'postgresql') expect(first.finished).toMatchObject({ exitCode: 0 })
    else {
      expect(first.finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
      expect(first.finished.error?.hint).toContain('--renamed note=remark')
      expect((await perform(only(NEW, { renamed: ['note=remark'] }))).finished).toMatchObject({ exitCode: 0 })
      // The same option again is accepted.
      expect((await perform(only(NEW, { renamed: ['note=remark'] }))).finished).toMatchObject({ exitCode: 0 })
    }
    expect(fields()[3]).toBe('remark note string')
    expect(await asked(`SELECT count(*), count(remark) FROM ${TABLE}`)).toEqual([['180', '153']])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect(said(await perform({ ...restore, dryRun: true }))).toContain('note is restored as remark')
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await states()).toEqual({ [OLD]: 'RESTORED', [NEW]: 'DETACHED' })
    expect(await asked(`SELECT count(*), count(remark) FROM ${TABLE}`)).toEqual([['180', '153']])
  })

  test.skipIf(why !== '')(`a published partition that is still in the table is exported again${why}`, async () => {
    const { only, states, asked, place, verify } = await archived(
      'published',
      `ALTER TABLE ${TABLE} ADD COLUMN extra integer`,
      `UPDATE ${TABLE} SET extra = 5`,
    )
    expect(await states()).toEqual({ [OLD]: 'PUBLISHED' })
    expect((await perform(only(OLD))).finished).toMatchObject({ exitCode: 0 })
    expect(await states()).toEqual({ [OLD]: 'DETACHED' })
    expect((await perform(only(OLD, { drop: true, confirm: TABLE }))).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['120']])
    expect(await asked(`SELECT count(*), sum(extra) FROM ${TABLE}`)).toEqual([['180', '900']])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })
})
