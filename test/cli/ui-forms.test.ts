/** Forms of commands: every declaration has one, its values become the copied command, and no value is lost. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { uiCommands } from '../../src/cli/ui/commands.ts'
import { commandForms } from '../../src/cli/ui/forms.ts'
import type { CommandForm, CommandPort, FormOption, Startable } from '../../src/app/command-port.ts'
import { ACTION_SUMMARIES } from '../../src/app/operations/action-pages.ts'
import { actionsOf, commandNameOf, declarationOf } from '../../src/app/operations/facts.ts'
import { QUESTION_IDS } from '../../src/engine/lake/operations/performance-compare/declaration.ts'
import { QUESTIONS } from '../../src/engine/lake/compare/questions.ts'
import { OPERATIONS, type OperationKind } from '../../src/app/operations/list.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import { listWord, valuesIn, wordsOf } from '../../src/tui/form/words.ts'

const FORMS = commandForms()
const KINDS = Object.keys(OPERATIONS) as OperationKind[]
const nameOf = ({ words }: CommandForm): string => words.join(' ')
const PASSWORD = 'p%40ssw0rd'
/** Conditions that may name a person are printed as a variable. */
const ENV = { WHERE: 'id = 7' }

/** Options without completion: free texts, names that do not exist yet, conditions, tokens of other tools. */
const FREE = new Set(
  (
    'exclude where timestamp to-table to-schema columns rename key part class conf rename explode-map set zone between alert ' +
    'alert-command until-equal prove-every slices codec constants tokens partition-min partition-max run-id writetime parked on-switch range drop into first past last slice leave maintenance-db first-month year-offset first-weekday older-than renamed ' +
    'name reason command every at day queue by-value default by interval query seed compare retention to queues drain ledger'
  ).split(' '),
)

/** Values for each form that needs them; for commands parsed by hand, their errors name what is missing. */
const SAMPLES: Readonly<Record<string, string>> = {
  'database-url': 'sqlite:///catalog.db',
  connect: `postgresql://u:${PASSWORD}@h/queue`,
  from: `postgresql://u:${PASSWORD}@h/db`,
  to: 'sqlite:///target.db',
  table: 'orders',
  path: 'test',
  run: '1795419783709223618',
  column: 'id',
  query: 'select 1',
  name: 'nightly',
  command: 'fsck ./test',
  partition: '2024-Q1',
}

const MORE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  changes: { 'from-version': '3', 'to-version': '7' },
  prune: { 'keep-versions': '10' },
  'archive run': { to: './cold' },
  'archive plan': { to: './cold' },
  'archive adopt': { to: './cold' },
  'archive sweep': { to: '' },
  'archive erase': { where: 'id = 7', reason: 'asked for' },
  'archive hold': { reason: 'audit' },
  'archive expire': { 'older-than': '7y' },
  // A URL with a password would become a variable in the config file.
  'lifecycle init': { by: 'at', from: 'postgresql://u@h/db' },
  'lifecycle status': { config: 'FOLDER/sluice.yaml', table: '', from: '' },
  'export-log': { to: './out' },
  restore: { to: '' },
  query: { to: '' },
  grants: { role: 'reader', connect: '' },
  'partition run': { by: 'at' },
  'partition plan': { by: 'at' },
  'partition in-place': { by: 'at' },
}

describe('every declaration', () => {
  let commands: CommandPort
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-forms-'))
    writeFileSync(join(folder, 'sluice.yaml'), 'lifecycle:\n  orders:\n    from: postgresql://u@h/db\n    by: at\n')
    commands = await uiCommands({ env: ENV }, { secrets: [], urls: [] })
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('has a form, and each of its actions has one', () => {
    const names = FORMS.map(nameOf)
    expect(new Set(names).size).toBe(names.length)
    for (const kind of KINDS) {
      const command = commandNameOf(kind)
      const actions = actionsOf(command)
      if (actions.length === 0) expect(names, kind).toContain(command)
      for (const { name, flag } of actions)
        expect(names, kind).toContain(flag === null ? `${command} ${name}` : `${command} ${name} --${flag}`)
    }
    expect(Object.keys(ACTION_SUMMARIES).toSorted()).toEqual(names.filter((name) => name.includes(' ')).toSorted())
  })

  test('has help for its command and a description of every option', async () => {
    for (const form of FORMS) {
      expect(await commands.help(form.words), nameOf(form)).toContain(`sluice ${form.words[0]}`)
      expect(form.summary.length, nameOf(form)).toBeGreaterThan(10)
      for (const { name, describe: words } of form.takes)
        expect(words.length, `${nameOf(form)} ${name}`).toBeGreaterThan(4)
    }
  })

  test('completes each option, except those in FREE', () => {
    const bare = FORMS.flatMap((form) =>
      form.takes
        .filter(
          ({ type, completes, choices, unit }) =>
            (type === 'text' || type === 'list') &&
            completes === undefined &&
            choices === undefined &&
            unit === undefined,
        )
        .filter(({ name }) => !FREE.has(name))
        .map(({ name }) => `${nameOf(form)} ${name}`),
    )
    expect(bare).toEqual([])
  })

  test('of a comparison offers the existing questions', () => {
    expect(QUESTION_IDS).toEqual(QUESTIONS.map(({ id }) => id))
  })

  test('asks for a typed name if it removes data that no run restores', () => {
    for (const kind of KINDS)
      for (const { asked, confirm, named } of declarationOf(kind).destroys ?? []) {
        expect(confirm, kind).toBeDefined()
        if (asked !== undefined) expect(named, kind).toBeDefined()
      }
  })

  test.each(FORMS.map((form) => [nameOf(form), form] as const))(
    'sluice %s: the copied command starts the same operation, and has no password',
    async (name, form) => {
      const values = new Map<string, string>()
      for (const { name: option } of form.takes) {
        const value = MORE[name]?.[option] ?? SAMPLES[option]
        if (value !== undefined && value !== '') values.set(option, value.replace('FOLDER', folder))
      }
      const filled: Startable = await commands.readWords(wordsOf(form, values))
      const again = await commands.read(filled.commandLine)
      expect(filled.commandLine).not.toContain(PASSWORD)
      expect(JSON.stringify(filled)).not.toContain(PASSWORD)
      expect(again).toEqual({ ...filled, notes: again.notes })
      const back = valuesIn(form, shellWords(filled.commandLine, ENV).slice(1 + form.words.length))
      expect(back).toEqual(new Map([...values].map(([option, value]) => [option, value.replace(`:${PASSWORD}`, '')])))
    },
  )
})

describe('values of a form', () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from(`a-='"\\$ é;*,#`)), minLength: 1, maxLength: 8 })
  const valueFor = ({ type, choices = [], default: own, fallback }: FormOption): fc.Arbitrary<string> => {
    if (type === 'flag') return fc.constant((own ?? fallback) === true ? 'no' : 'yes')
    if (type === 'choice') return fc.constantFrom(...choices)
    if (type === 'number') return fc.nat(10_000).map(String)
    return type === 'list'
      ? fc.array(text, { minLength: 1, maxLength: 3 }).map((all) => all.map(listWord).join(' '))
      : text
  }

  test.each(FORMS.map((form) => [nameOf(form), form] as const))(
    'of %s are read back from its arguments',
    (_name, form) => {
      const some = fc
        .subarray([...form.takes])
        .chain((options) =>
          fc.tuple(...options.map((option) => valueFor(option).map((value) => [option.name, value] as const))),
        )
      fc.assert(
        fc.property(some, (pairs) => {
          // An operand needs all operands before it.
          const operands = form.takes.filter(({ operand }) => operand === true).map(({ name }) => name)
          const given = new Map(pairs)
          const missing = operands.findIndex((name) => !given.has(name))
          if (missing !== -1) for (const name of operands.slice(missing)) given.delete(name)
          const words = wordsOf(form, given)
          expect(valuesIn(form, words.slice(form.words.length))).toEqual(given)
        }),
        { numRuns: 30 },
      )
    },
  )
})
