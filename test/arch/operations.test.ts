/** Every operation says of itself what faces ask about; a missing or a wrong piece is found here, if the compiler has not found it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command-list.ts'
import { CONFIG_KEYS } from '../../src/cli/config.ts'
import { parseDuration } from '../../src/cli/duration.ts'
import { OWN_COMMANDS } from '../../src/cli/own-commands.ts'
import { commandHelp } from '../../src/cli/parse.ts'
import { READERS } from '../../src/cli/readers.ts'
import { GLOBAL_NAMES } from '../../src/cli/globals.ts'
import {
  actionsOf,
  commandNameOf,
  declarationOf,
  destructionsOf,
  operationEnds,
  isPlanOnly,
  declaringOperation,
  rowFormatOf,
  storesOf,
  subjectsOf,
  takenBy,
  urlsOf,
  withUrls,
} from '../../src/app/operations/facts.ts'
import type { Option } from '../../src/engine/run/operations/option.ts'
import { wordOptions, type OperationWord } from '../../src/engine/run/operations/words.ts'
import { OPERATIONS, type Operation, type OperationKind } from '../../src/app/operations/list.ts'
import { EVENT_TYPES } from '../cli/event-schema.ts'
import { readSources, ROOT, targetOf, type SourceFile } from './source-files.ts'

const OWN = new Set(OWN_COMMANDS.map(({ name }) => name))

/** Whether nothing of it is read by hand. */
function isDerived(name: string): boolean {
  if (OWN.has(name)) return false
  const actions = actionsOf(name)
  return actions.length === 0
    ? declaringOperation(name).words !== undefined
    : actions.every(({ words }) => words !== null)
}

const KINDS = Object.keys(OPERATIONS) as OperationKind[]
const DECLARED = KINDS.map(declarationOf)

describe('the list of operations', () => {
  test.each(KINDS)('%s stands under its own name', (kind) => {
    expect(declarationOf(kind).kind).toBe(kind)
  })

  test('has every folder of operations, and each stands under its own name', () => {
    const folders = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    const declared = folders
      .map((name) => /\/operations\/([^/]+)\/declaration\.ts$/.exec(name)?.[1])
      .filter((name) => name !== undefined)
    const expected = KINDS.map((kind) => (kind === 'archive' ? 'archive-run' : kind))
    expect(declared.toSorted()).toEqual(expected.toSorted())
  })

  test('has an operation for every command, and a command for every operation', () => {
    const started = new Set(KINDS.map(commandNameOf))
    const own = OWN_COMMANDS.map(({ name }) => name)
    const names = COMMANDS.map(({ name }) => name)
    expect(own).toEqual(['ctl', 'attach', 'init', 'trust', 'demo', 'man', 'completion'])
    expect([...started, ...own].toSorted()).toEqual(names.toSorted())
    expect(new Set(names).size).toBe(names.length)
  })

  test('has somebody who reads the words of every command', async () => {
    for (const { name } of COMMANDS) await expect(commandHelp(name)).resolves.toContain(`sluice ${name}`)
    const derived = COMMANDS.filter(({ name }) => isDerived(name)).map(({ name }) => name)
    expect([...Object.keys(READERS), ...derived].toSorted()).toEqual(COMMANDS.map(({ name }) => name).toSorted())
  })
})

describe('a command', () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))('%s says what it takes', (name, command) => {
    const { takes, operands, summary } = command
    const words = takes.flatMap(({ name: option, alias = [] }) => [option, alias].flat())
    expect(new Set(words).size, 'two options of one name').toBe(words.length)
    expect(takes.filter(({ operand }) => operand === true).map((option) => option.name)).toEqual(
      [...operands.matchAll(/[<[]([a-z]+)/g)].map(([, operand]) => operand),
    )
    expect(summary.length, summary).toBeLessThanOrEqual(52)
    for (const option of takes) {
      expect(option.describe !== '' || option.hidden === true, `${name} ${option.name} has no words`).toBe(true)
      if (option.type === 'choice') expect(option.choices?.length, option.name).toBeGreaterThan(1)
      if (option.type === 'choice' && option.default !== undefined) expect(option.choices).toContain(option.default)
      if (option.unit === 'duration' && option.default !== undefined)
        expect(() => parseDuration(option.name, String(option.default))).not.toThrow()
      if (option.config !== undefined) expect(CONFIG_KEYS, 'no key of the config file').toContain(option.name)
    }
  })
})

/** Types of options that a source can be read from. */
const READ_FROM: Readonly<Partial<Record<OperationWord['as'], readonly Option['type'][]>>> = {
  text: ['text'],
  duration: ['text'],
  run: ['text'],
  count: ['number'],
  choice: ['choice'],
  flag: ['flag'],
  set: ['flag'],
  list: ['list'],
  filled: ['list'],
  some: ['list'],
  names: ['list'],
  end: ['text'],
}

/** Every set of words that is derived, with the command that it is of. */
const SPOKEN = COMMANDS.filter(({ name }) => !OWN.has(name)).flatMap((command) => {
  const actions = actionsOf(command.name)
  const { kind, words } = declaringOperation(command.name)
  if (actions.length === 0) return words === undefined ? [] : [{ command, kind, words }]
  return actions.flatMap((action) =>
    action.words === null ? [] : [{ command, kind: action.kind, words: action.words }],
  )
})

describe('the words of a command', () => {
  test.each(SPOKEN.map((spoken) => [spoken.kind, spoken] as const))('%s are those that it takes', (_kind, spoken) => {
    const { takes } = spoken.command
    for (const word of Object.values(spoken.words)) {
      for (const name of wordOptions(word)) {
        const option = takes.find((known) => known.name === name)
        expect(option !== undefined || GLOBAL_NAMES.includes(name), `${name} is no option`).toBe(true)
        if (option === undefined || !('option' in word)) continue
        expect(READ_FROM[word.as] ?? [option.type], `--${name}`).toContain(option.type)
        expect(option.unit === 'duration', `--${name}`).toBe(word.as === 'duration')
      }
    }
  })

  test.each(COMMANDS.filter(({ name }) => isDerived(name)))(
    '$name reads every option that it takes',
    ({ name, takes }) => {
      const actions = actionsOf(name)
      const { words = {} } = declaringOperation(name)
      const read = new Set(
        actions.length === 0
          ? Object.values(words).flatMap(wordOptions)
          : ['action', ...actions.flatMap((one) => [...takenBy(one)])],
      )
      expect(takes.map((option) => option.name).filter((option) => !read.has(option))).toEqual([])
    },
  )

  test('every action that is read by hand takes what its command takes', () => {
    for (const { name, takes } of COMMANDS)
      for (const { byHand } of actionsOf(name))
        expect(byHand.filter((word) => !takes.some((option) => option.name === word))).toEqual([])
  })

  test('the actions of a command are named where it is told what it takes', () => {
    for (const { name, takes } of COMMANDS) {
      const actions = [...new Set(actionsOf(name).map((action) => action.name))]
      const reported = takes.find((option) => option.name === 'action')?.describe.split(', ') ?? []
      expect(reported.toSorted()).toEqual(actions.toSorted())
    }
  })
})

const SOURCES = new Map(readSources().map((source) => [source.name, source] as const))

/** The file that the list loads for an operation. */
function performerOf(kind: OperationKind): string {
  const list = 'app/operations/list.ts'
  const code = SOURCES.get(list)?.code ?? ''
  const [, file = ''] = new RegExp(`\\n  '?${kind}'?: operation\\([^']+'([^']+)'`).exec(code) ?? []
  return targetOf(list, file) ?? ''
}

/** Sources that a file imports, and what they import; not the list, which imports everything. */
function reachedFrom(file: string): readonly SourceFile[] {
  const reached = new Map<string, SourceFile>()
  const left = [file]
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const source = SOURCES.get(name)
    if (source === undefined || reached.has(name) || /(?:list|declaration)\.ts$/.test(name)) continue
    reached.set(name, source)
    left.push(...source.imports.flatMap(({ specifier }) => targetOf(source.name, specifier) ?? []))
  }
  return [...reached.values()]
}

describe('a declaration', () => {
  test.each(KINDS)('of %s is whole', (kind) => {
    const { stores, events, destroys = [], shape, doing, plans } = declarationOf(kind)
    expect(stores.length, 'touches no store').toBeGreaterThan(0)
    expect(stores.filter(({ end }) => end === 'source').length).toBeLessThanOrEqual(1)
    expect(stores.filter(({ end }) => end === 'target').length).toBeLessThanOrEqual(1)
    if (shape !== 'answer') expect(events.length, 'says nothing').toBeGreaterThan(0)
    expect(events.filter((type) => !EVENT_TYPES.includes(type))).toEqual([])
    expect(new Set(events).size).toBe(events.length)
    if (destroys.length > 0) expect(shape, 'a listing changes nothing').not.toBe('listing')
    if (shape === 'listing') {
      expect(stores.filter(({ access }) => access === 'write')).toEqual([])
      expect(plans).toBeUndefined()
    }
    if (shape === 'long') expect(doing, 'the head line of the UI has no word for it').toBeDefined()
  })

  // Who keeps the books of what may be lost reads it here: it can be looked at first, and its name can be said.
  test.each(KINDS)('of %s says what is read, written and destroyed, and how that is looked at before', (kind) => {
    const { stores, destroys = [], plans, shape } = declarationOf(kind)
    const written = stores.filter(({ access }) => access === 'write')
    for (const { what, confirm } of destroys) {
      expect(what, 'nobody knows what goes').not.toBe('')
      expect(confirm, `${what}: no field holds the name`).toBeDefined()
      expect(plans, `${what}: no dry run shows it first`).toBeDefined()
    }
    // Files of an archive stand where its ledger says, which is no field of the operation.
    if (destroys.length > 0 && kind !== 'archive-sweep')
      expect(written.length, 'destroys where it writes nothing').toBeGreaterThan(0)
    if (plans !== undefined) expect(shape, 'a listing has nothing to plan').not.toBe('listing')
  })

  // That nothing else is said, the compiler knows: a run is given no words but the declared ones.
  test.each(KINDS)('of %s names no event that nobody says', (kind) => {
    const reached = reachedFrom(performerOf(kind))
    const said = (type: string): boolean => reached.some(({ code }) => code.includes(`type: '${type}'`))
    expect(declarationOf(kind).events.filter((type) => !said(type))).toEqual([])
  })

  test('that asks for a name says for what, which name, and what holds it', () => {
    const asking = DECLARED.flatMap(({ destroys = [] }) => destroys).filter(({ asked }) => asked !== undefined)
    expect(asking).not.toEqual([])
    for (const { confirm, asked, named } of asking) {
      expect(asked).toMatch(/^to /)
      expect(confirm).toBeDefined()
      expect(named).toBeDefined()
    }
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
    expect(operationEnds(archive)).toEqual({ source: 'postgresql://u@h/db', target: 's3://bucket/old' })
    expect(operationEnds(importing)).toEqual({ source: '/lake/t', target: 'mysql://u@h/db' })
    expect(operationEnds({ kind: 'history', table: 't', limit: 1 })).toEqual({ source: 't' })
    expect(
      operationEnds({ kind: 'grants', catalog: 'sqlite:///c', role: 'reader', to: 'somebody', apply: false }),
    ).toEqual({
      target: 'sqlite:///c',
    })
    expect(operationEnds({ kind: 'discover-database', url: 'sqlite:///c', tables: [] })).toEqual({})
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

  test('the help and the document name all that may be scheduled', async () => {
    const listed = (text: string): readonly string[] => text.split(/, | and /).toSorted()
    const all = KINDS.flatMap((kind) => {
      const { comesAgain } = declarationOf(kind)
      const by = comesAgain === undefined || comesAgain === true ? '' : ` --${comesAgain}`
      const command = commandNameOf(kind)
      const action = kind === 'archive' ? 'run' : kind.slice(command.length + 1)
      const typed = `${command} ${action}`.trimEnd()
      return comesAgain === undefined ? [] : [`${typed}${by}`]
    }).toSorted()
    const help = (await commandHelp('schedule', true)).replaceAll(/\s+/g, ' ')
    expect(listed(/May be scheduled: ([^.]+)\./.exec(help)?.[1] ?? '')).toEqual(all)
    const document = readFileSync(path.join(import.meta.dirname, '../../docs/guides/schedules.md'), 'utf8').replaceAll(
      /\s+/g,
      ' ',
    )
    expect(listed(/What may come again: ([^;]+);/.exec(document)?.[1]?.replaceAll('`', '') ?? '')).toEqual(all)
  })
})
