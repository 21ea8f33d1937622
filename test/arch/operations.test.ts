/** Every operation says of itself what faces ask about; a missing or a wrong piece is found here, if the compiler has not found it. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command-list.ts'
import { QUESTIONS } from '../../src/cli/confirmed.ts'
import {
  declarationOf,
  destructionsOf,
  endsOf,
  isPlanOnly,
  rowFormatOf,
  storesOf,
  subjectsOf,
  urlsOf,
  withUrls,
} from '../../src/engine/operations/facts.ts'
import { OPERATIONS, type Operation, type OperationKind } from '../../src/engine/operations/list.ts'
import { EVENT_TYPES } from '../cli/event-schema.ts'
import { ROOT } from './source-files.ts'

const KINDS = Object.keys(OPERATIONS) as OperationKind[]
const DECLARED = KINDS.map(declarationOf)

/** Commands of the command line itself: they start no operation of their own. */
const OF_THE_COMMAND_LINE = ['ctl', 'demo']

describe('the list of operations', () => {
  test.each(KINDS)('%s stands under its own name, and can be performed', async (kind) => {
    expect(declarationOf(kind).kind).toBe(kind)
    expect(typeof (await OPERATIONS[kind].load())).toBe('function')
  })

  test('has every folder beside it', () => {
    const folder = path.join(ROOT, 'src', 'engine', 'operations')
    const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    // `archive` is a layer's name, which no folder inside of a layer may carry.
    const expected = KINDS.map((kind) => (kind === 'archive' ? 'archive-run' : kind))
    expect(folders.map(({ name }) => name).toSorted()).toEqual(expected.toSorted())
  })

  test('has an operation for every command, and a command for every operation', () => {
    const started = new Set(DECLARED.map(({ command }) => command))
    const names: readonly string[] = COMMANDS.map(({ name }) => name)
    expect([...started, ...OF_THE_COMMAND_LINE].toSorted()).toEqual(names.toSorted())
  })
})

describe('a declaration', () => {
  test.each(KINDS)('of %s is whole', (kind) => {
    const { stores, events, destroys = [], shape, doing, plans } = declarationOf(kind)
    expect(stores.length, 'touches no store').toBeGreaterThan(0)
    expect(stores.filter(({ end }) => end === 'source').length).toBeLessThanOrEqual(1)
    expect(stores.filter(({ end }) => end === 'target').length).toBeLessThanOrEqual(1)
    expect(events.length, 'says nothing').toBeGreaterThan(0)
    expect(events.filter((type) => !EVENT_TYPES.includes(type))).toEqual([])
    expect(new Set(events).size).toBe(events.length)
    if (destroys.length > 0) expect(shape, 'a listing changes nothing').not.toBe('listing')
    if (shape === 'listing') {
      expect(stores.filter(({ access }) => access === 'write')).toEqual([])
      expect(plans).toBeUndefined()
    }
    if (shape === 'long') expect(doing, 'the head line of the UI has no word for it').toBeDefined()
  })

  test('that asks for a name has somebody who asks', () => {
    const asking = DECLARED.filter(({ destroys = [] }) => destroys.some(({ asked }) => asked === true))
    expect(asking.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(QUESTIONS).toSorted())
    for (const { destroys = [] } of asking)
      for (const { confirm, asked } of destroys) if (asked === true) expect(confirm).toBeDefined()
  })
})

describe('what is asked of an operation', () => {
  const archive: Operation = {
    kind: 'archive',
    from: 'postgresql://u:secret@h/db',
    to: 's3://bucket/old',
    tables: ['public.a', 'public.b'],
    partitions: [],
    asText: [],
    detach: true,
    drop: true,
    dryRun: false,
  }
  const importing: Operation = {
    kind: 'import',
    table: '/lake/t',
    catalog: 'mysql://u:secret@h/db',
    dryRun: true,
    resume: false,
    batchSize: 1,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  }

  test('its stores, without those that it does not name', () => {
    expect(storesOf(archive).map(({ field, family, access }) => `${field} ${family} ${access}`)).toEqual([
      'from database write',
      'to folder write',
    ])
    const { to: _to, ...unplaced } = archive
    expect(storesOf(unplaced).map(({ field }) => field)).toEqual(['from'])
    const sync: Operation = {
      kind: 'sync',
      tables: ['/a', '/b'],
      catalog: 'sqlite:///c',
      watch: false,
      intervalMs: 1,
      batchSize: 1,
      parallel: 1,
    }
    expect(storesOf(sync).map(({ name }) => name)).toEqual(['/a', '/b', 'sqlite:///c'])
  })

  test('its ends, without passwords', () => {
    expect(endsOf(archive)).toEqual({ source: 'postgresql://u@h/db', target: 's3://bucket/old' })
    expect(endsOf(importing)).toEqual({ source: '/lake/t', target: 'mysql://u@h/db' })
    expect(endsOf({ kind: 'history', table: 't', limit: 1 })).toEqual({ source: 't' })
    expect(endsOf({ kind: 'grants', catalog: 'sqlite:///c', role: 'reader', to: 'somebody', apply: false })).toEqual({
      target: 'sqlite:///c',
    })
    expect(endsOf({ kind: 'discover-database', url: 'sqlite:///c', tables: [] })).toEqual({})
  })

  test('its URLs, and the same with others', () => {
    expect(urlsOf(archive)).toEqual(['postgresql://u:secret@h/db'])
    expect(withUrls(importing, (name) => `${name}?whole`)).toEqual({
      ...importing,
      catalog: 'mysql://u:secret@h/db?whole',
    })
    expect(withUrls({ kind: 'doctor' }, () => 'never')).toEqual({ kind: 'doctor' })
  })

  test('what it is about, what it takes away, and whether it only plans', () => {
    expect(subjectsOf(archive)).toEqual(['public.a', 'public.b'])
    expect(subjectsOf(importing)).toEqual(['/lake/t'])
    expect(isPlanOnly(importing)).toBe(true)
    expect(destructionsOf(archive)).toHaveLength(1)
    expect(destructionsOf({ ...archive, drop: false })).toEqual([])
    expect(destructionsOf({ ...archive, dryRun: true })).toEqual([])
  })

  test('how it writes rows', () => {
    expect(rowFormatOf({ kind: 'sql', query: '', catalog: '', limit: 1, format: 'csv' })).toBe('csv')
    expect(rowFormatOf(importing)).toBe('table')
  })
})
