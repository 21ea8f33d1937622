/** Every command in a text of the program, as a run completes it: the parser accepts it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { callsIn, type WrittenCall } from '../../src/app/whole-commands/call.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { shellQuote } from '../../src/shared/shell.ts'
import { shellWords } from '../../src/shared/shell-words.ts'

const ROOT = new URL('../../src/', import.meta.url).pathname
const ENV = {
  SRC: 'sqlite:///a.db',
  TO: 'sqlite:///b.db',
  CAT: 'sqlite:///c.db',
  QUEUE: 'postgresql://ann@host/queue',
  WHERE: 'id = 1',
}
/** Values for placeholders. */
const MEANS: Readonly<Record<string, string>> = {
  RUN: '17',
  STREAM: '17',
  ID: '17',
  URL: 'sqlite:///a.db',
  LEDGER_URL: 'sqlite:///a.db',
  N: '4',
  LABEL: '2024q1',
  NAME: 'orders',
  TABLE: 'orders',
  COLUMN: 'at',
  PATH: '.',
  KEY: '1',
  TICKET: 'T-1',
  TWIN: 'orders_new',
}

/** Flags whose values in hints are always inserted. */
const TEXTS: ReadonlySet<string> = new Set(['run', 'undo', 'table', 'key', 'partition', 'report'])

/** The template of `init` names stores that do not exist here. */
const STORES: ReadonlySet<string> = new Set(['cli/init/run-init.ts'])

/** Only the user's config file can avoid this error. */
const BY_FILE = 'the config file has no table under lifecycle'

type Named = { readonly file: string; readonly line: number; readonly text: string }

function texts(): readonly Named[] {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  return files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .map((text, at) => ({ file, line: at + 1, text }))
      // Comments are not printed.
      .filter(
        ({ text, file: name }) =>
          !STORES.has(name) && !/^\s*(?:\*|\/\*|\/\/)/.test(text) && /\bsluice [a-z]/.test(text),
      ),
  )
}

/** The printed text: an inserted value is one word. */
function printed(text: string): string {
  return text
    .replaceAll('\\`', '`')
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, (_all, at: number, whole: string) => {
      const before = whole.slice(0, at)
      // An inserted text that begins with a blank, or is empty.
      if (/[a-z]$/.test(before)) return ''
      if (/--(?:to|from|database-url) $/.test(before) && !/--role \S+ --to $/.test(before)) return 'sqlite:///d.db'
      if (!before.endsWith('--role ')) return '17'
      return /--connect \S+ --role $/.test(before) ? 'worker' : 'reader'
    })
    .replaceAll(/ --config 17/g, '')
}

/** Commands that print the texts of a folder, with the fewest options. */
const PRINTED_BY: readonly (readonly [folder: string, ...lines: readonly string[]])[] = [
  ['partition/lifecycle/', 'sluice partition run --from "$SRC" --to "$TO" --table orders --by at'],
  ['partition/decommission/database/', 'sluice partition decommission --database --from "$SRC" --to "$TO"'],
  ['partition/decommission/', 'sluice partition decommission --from "$SRC" --to "$TO" --table orders'],
  ['archive/operations/archive-verify/', 'sluice archive verify --from "$SRC"'],
  ['archive/operations/archive-list/', 'sluice archive list --from "$SRC"'],
  ['archive/operations/', 'sluice archive run --from "$SRC" --to ./archive --table orders --by at'],
  ['archive/plan/', 'sluice archive run --from "$SRC" --to ./archive --table orders --by at'],
  [
    'archive/',
    'sluice archive run --from "$SRC" --to ./archive --table orders --by at',
    'sluice archive verify --from "$SRC"',
  ],
]

/** Commands that may print the call: that of its folder, or else those on copies, one database or a catalog. */
function runsFor(call: WrittenCall, file: string): readonly string[] {
  const known = PRINTED_BY.find(([folder]) => file.startsWith(folder))
  if (known !== undefined) return known.slice(1)
  const { name, takes } = call.callable
  if (['worker', 'workers', 'schedule'].includes(name) || call.flags.has('distributed')) return [QUEUE]
  if (takes.get('to')?.completes === 'database' && name !== 'partition') return [COPY, COPIES, PERIODS]
  return takes.has('from') ? [PERIODS] : [CATALOG]
}

const QUEUE = 'sluice worker --connect "$QUEUE"'
const COPY = 'sluice copy --from "$SRC" --to "$TO" --table orders'
const CATALOG = 'sluice validate sales/orders --database-url "$CAT"'
const COPIES = `sluice copy --from "$SRC" --to "$TO" --tables 'o*' 'p*'`
const PERIODS = 'sluice partition run --from "$SRC" --table orders --by at'

test(
  'a printed command is complete: the run adds its source and target, and the parser accepts it',
  { timeout: 120_000 },
  async () => {
    const wrong: string[] = []
    let seen = 0
    for (const { file, line, text } of texts()) {
      for (const call of callsIn(printed(text))) {
        seen += 1
        const alone = `sluice ${call.words.map(({ raw }) => raw).join(' ')}`
        for (const run of runsFor(call, file)) {
          const whole = wholeCommands(run, { from: ENV.SRC })(alone)
          // A word of the sentence in place of an operand.
          const prose = [
            ...call.operands,
            ...[...call.flags].flatMap(([name, values]) => (TEXTS.has(name) ? values : [])),
          ]
          for (const word of prose)
            if (/^[a-z][a-z-]*$/.test(word?.raw ?? '')) wrong.push(`${file}:${line}: ${whole}: ${word?.raw}?`)
          const argv = shellWords(whole, ENV)
            .slice(1)
            .map((word) => MEANS[word] ?? word)
          await parseCommandLine(argv, ENV).catch((error: unknown) => {
            const why = error instanceof Error ? error.message : String(error)
            if (why !== BY_FILE) wrong.push(`${file}:${line}: ${whole}: ${why}`)
          })
        }
      }
    }
    expect(wrong).toEqual([])
    expect(seen).toBeGreaterThan(100)
  },
)

/** A possible name of a table, a partition or a column. */
const HOSTILE = `It's "a" b 🎉; $x (1)`
/** Flags whose value is a name, or a value of a row. */
const NAMES: ReadonlySet<string> = new Set(['table', 'partition', 'key', 'confirm', 'into', 'by', 'column', 'first'])

/**
 * The text as printed with hostile names for all values: quoted where the program quotes them. @param file content of
 * the source file
 */
function withHostile(text: string, file: string): string {
  const isQuoted = (value: string): boolean =>
    /\b(?:shellQuoted?|quoted)\(/.test(value) ||
    new RegExp(`\\b${value}\\b[^;=]*\\]? =[^;]*(?:shellQuoted?|quoted)\\b`).test(file)
  return text
    .replaceAll('\\`', '`')
    .replaceAll(/(--[a-z-]+[ =])?\$\{((?:[^{}]|\{[^{}]*\})*)\}/g, (_all, flag: string | undefined, value: string) => {
      const name = flag?.slice(2, -1) ?? ''
      if (!NAMES.has(name)) return `${flag ?? ''}17`
      return `${flag}${/^\w+$/.test(value) || /\(/.test(value) ? (isQuoted(value) ? shellQuote(HOSTILE) : HOSTILE) : '17'}`
    })
}

test('a name with blanks, quotes and an emoji is one word in each printed command', () => {
  const apart: string[] = []
  let seen = 0
  for (const { file, line, text } of texts()) {
    const printedNow = withHostile(text, readFileSync(join(ROOT, file), 'utf8'))
    if (!printedNow.includes('🎉')) continue
    for (const { words, flags } of callsIn(printedNow)) {
      const named = [...flags].flatMap(([name, values]) => (NAMES.has(name) ? values : []))
      for (const word of named) {
        // Placeholders, and words of the sentence.
        if (word === null || /^(?:[A-Z]+|[a-z]+|17)$/.test(word.raw)) continue
        seen += 1
        const [value] = shellWords(word.raw, ENV)
        if (value !== HOSTILE) apart.push(`${file}:${line}: ${words.map(({ raw }) => raw).join(' ')}`)
      }
    }
  }
  expect(apart).toEqual([])
  expect(seen).toBeGreaterThan(8)
})
