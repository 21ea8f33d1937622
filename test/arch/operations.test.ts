/**
 * Every operation declares all facts that frontends use; this finds missing and wrong declarations that the compiler
 * does not find.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { CONFIG_KEYS } from '../../src/cli/config/config.ts'
import { parseDuration } from '../../src/cli/flags/duration.ts'
import { OWN_COMMANDS } from '../../src/cli/parse/own-commands.ts'
import { commandHelp } from '../../src/cli/parse/parse.ts'
import { READERS } from '../../src/cli/parse/readers.ts'
import { GLOBAL_NAMES } from '../../src/cli/parse/globals.ts'
import {
  actionsOf,
  commandNameOf,
  declarationOf,
  destructionsOf,
  sourceAndTarget,
  isPlanOnly,
  declaringOperation,
  rowFormatOf,
  storesOf,
  subjectsOf,
  optionNamesOf,
  urlsOf,
  withUrls,
} from '../../src/app/operations/facts.ts'
import type { Option } from '../../src/engine/run/operations/option.ts'
import { wordOptions, type OperationWord } from '../../src/engine/run/operations/words.ts'
import { OPERATIONS, type Operation, type OperationKind } from '../../src/app/operations/list.ts'
import { EVENT_TYPES } from '../cli/event-schema.ts'
import { readSources, ROOT, targetOf, type SourceFile } from './source-files.ts'

const OWN = new Set(OWN_COMMANDS.map(({ name }) => name))

/** True if no argument of the command is parsed by hand. */
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
  test.each(KINDS)('%s is registered under its own kind', (kind) => {
    expect(declarationOf(kind).kind).toBe(kind)
  })

  test('has every folder of operations, each under its own kind', () => {
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

  test('has a parser for every command', async () => {
    for (const { name } of COMMANDS) await expect(commandHelp(name)).resolves.toContain(`sluice ${name}`)
    const derived = COMMANDS.filter(({ name }) => isDerived(name)).map(({ name }) => name)
    expect([...Object.keys(READERS), ...derived].toSorted()).toEqual(COMMANDS.map(({ name }) => name).toSorted())
  })
})

describe('a command', () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))('%s declares its options', (name, command) => {
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

/** Types of options that a kind of word accepts. */
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

/** Every derived set of words, with its command. */
const SPOKEN = COMMANDS.filter(({ name }) => !OWN.has(name)).flatMap((command) => {
  const actions = actionsOf(command.name)
  const { kind, words } = declaringOperation(command.name)
  if (actions.length === 0) return words === undefined ? [] : [{ command, kind, words }]
  return actions.flatMap((action) =>
    action.words === null ? [] : [{ command, kind: action.kind, words: action.words }],
  )
})

describe('words of a command', () => {
  test.each(SPOKEN.map((spoken) => [spoken.kind, spoken] as const))(
    '%s name only options that it takes',
    (_kind, spoken) => {
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
    },
  )

  test.each(COMMANDS.filter(({ name }) => isDerived(name)))(
    '$name uses every option that it takes',
    ({ name, takes }) => {
      const actions = actionsOf(name)
      const { words = {} } = declaringOperation(name)
      const read = new Set(
        actions.length === 0
          ? Object.values(words).flatMap(wordOptions)
          : ['action', ...actions.flatMap((one) => [...optionNamesOf(one)])],
      )
      expect(takes.map((option) => option.name).filter((option) => !read.has(option))).toEqual([])
    },
  )

  test('an action that is parsed by hand takes only options of its command', () => {
    for (const { name, takes } of COMMANDS)
      for (const { byHand } of actionsOf(name))
        expect(byHand.filter((word) => !takes.some((option) => option.name === word))).toEqual([])
  })

  test('the option action lists the actions of a command', () => {
    for (const { name, takes } of COMMANDS) {
      const actions = [...new Set(actionsOf(name).map((action) => action.name))]
      const reported = takes.find((option) => option.name === 'action')?.describe.split(', ') ?? []
      expect(reported.toSorted()).toEqual(actions.toSorted())
    }
  })
})

const SOURCES = new Map(readSources().map((source) => [source.name, source] as const))

/** The module that the list loads for an operation. */
function performerOf(kind: OperationKind): string {
  const list = 'app/operations/list.ts'
  const code = SOURCES.get(list)?.code ?? ''
  const [, file = ''] = new RegExp(`\\n  '?${kind}'?: operation\\([^']+'([^']+)'`).exec(code) ?? []
  return targetOf(list, file) ?? ''
}

/** Modules that a file imports directly or indirectly, except the list, which imports everything. */
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
  test.each(KINDS)('of %s is complete', (kind) => {
    const { stores, events, destroys = [], display: shape, doing, plans } = declarationOf(kind)
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

  // A destructive operation must be declared with a dry run, and with a field for the confirmed name.
  test.each(KINDS)('of %s has what is read, written and destroyed, and how to preview that', (kind) => {
    const { stores, destroys = [], plans, display: shape } = declarationOf(kind)
    const written = stores.filter(({ access }) => access === 'write')
    for (const { what, confirm } of destroys) {
      expect(what, 'nobody knows what goes').not.toBe('')
      expect(confirm, `${what}: no field holds the name`).toBeDefined()
      expect(plans, `${what}: no dry run shows it first`).toBeDefined()
    }
    // The ledger of the archive has the location of its files, so the operation has no field for it.
    if (destroys.length > 0 && kind !== 'archive-sweep')
      expect(written.length, 'destroys where it writes nothing').toBeGreaterThan(0)
    if (plans !== undefined) expect(shape, 'a listing has nothing to plan').not.toBe('listing')
  })

  // The compiler ensures the opposite: a run can emit only declared events.
  test.each(KINDS)('of %s has only events that its code emits', (kind) => {
    const reached = reachedFrom(performerOf(kind))
    const said = (type: string): boolean => reached.some(({ code }) => code.includes(`type: '${type}'`))
    expect(declarationOf(kind).events.filter((type) => !said(type))).toEqual([])
  })

  test('that asks for a name has the reason, the name, and the field for it', () => {
    const asking = DECLARED.flatMap(({ destroys = [] }) => destroys).filter(({ asked }) => asked !== undefined)
    expect(asking).not.toEqual([])
    for (const { confirm, asked, named } of asking) {
      expect(asked).toMatch(/^to /)
      expect(confirm).toBeDefined()
      expect(named).toBeDefined()
    }
  })
})

describe('facts about an operation', () => {
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

  test('its stores, without those that are not given', () => {
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

  test('its source and target, without passwords', () => {
    expect(sourceAndTarget(archive)).toEqual({ source: 'postgresql://u@h/db', target: 's3://bucket/old' })
    expect(sourceAndTarget(importing)).toEqual({ source: '/lake/t', target: 'mysql://u@h/db' })
    expect(sourceAndTarget({ kind: 'history', table: 't', limit: 1 })).toEqual({ source: 't' })
    expect(
      sourceAndTarget({ kind: 'grants', catalog: 'sqlite:///c', role: 'reader', to: 'somebody', apply: false }),
    ).toEqual({
      target: 'sqlite:///c',
    })
    expect(sourceAndTarget({ kind: 'discover-database', url: 'sqlite:///c', tables: [] })).toEqual({})
  })

  test('its URLs, and the operation with other URLs', () => {
    expect(urlsOf(archive)).toEqual(['postgresql://u:secret@h/db'])
    expect(withUrls(importing, (name) => `${name}?whole`)).toEqual({
      ...importing,
      catalog: 'mysql://u:secret@h/db?whole',
    })
    expect(withUrls({ kind: 'doctor' }, () => 'never')).toEqual({ kind: 'doctor' })
  })

  test('its subjects, its destructions, and whether it only plans', () => {
    expect(subjectsOf(archive)).toEqual(['public.a', 'public.b'])
    expect(subjectsOf(importing)).toEqual(['/lake/t'])
    expect(isPlanOnly(importing)).toBe(true)
    expect(destructionsOf(archive)).toHaveLength(1)
    expect(destructionsOf({ ...archive, drop: false })).toEqual([])
    expect(destructionsOf({ ...archive, dryRun: true })).toEqual([])
  })

  test('the format of its rows', () => {
    expect(rowFormatOf({ kind: 'sql', query: '', catalog: '', limit: 1, format: 'csv' })).toBe('csv')
    expect(rowFormatOf(importing)).toBe('table')
  })

  test('the help and the guide name all operations that can be scheduled', async () => {
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
