/**
 * The config file in YAML: the catalog, stores, and defaults of options. Loaded only if a file was named or found
 * (`config-search`).
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { CALENDAR_UNITS } from '../../model/calendar/calendar.ts'
import { DECIMALS, ON_EXISTING, PROOFS } from '../../engine/copy/operations/copy/options.ts'
import { CHECKED_FILES } from '../../engine/run/operations/shared-options.ts'
import { SluiceError } from '../../shared/errors.ts'
import { suggested } from '../../shared/closest.ts'
import { LIFECYCLE, LIFECYCLE_KEYS } from './lifecycle-config.ts'

const positive = z.int().min(1)
const word = z.string().min(1)
/** A URL, `$NAME` of a variable with a URL, or a path. */
const place = word.regex(/:\/\/|^\$|^\.{0,2}\//, 'is not a URL, a $VARIABLE or a path')
/** Name of a store as typed after a flag; cannot be confused with a URL or a path. */
const storeName = z.string().regex(/^[A-Za-z0-9_][\w.-]*$/, 'is not a valid name: use letters, digits, _, - and .')
/** One name, or a list of names. */
const names = z.union([word, z.array(word).min(1)])

/** Schema of the file. Its keys are the names of flags. */
const schema = z.strictObject({
  'database-url': word.optional(),
  stores: z.record(storeName, place).optional(),
  lifecycle: LIFECYCLE.optional(),
  connect: word.optional(),
  from: word.optional(),
  to: word.optional(),
  table: names.optional(),
  tables: names.optional(),
  'to-schema': word.optional(),
  'to-table': word.optional(),
  columns: names.optional(),
  rename: z.record(word, word).optional(),
  where: word.optional(),
  key: names.optional(),
  'on-existing': z.enum(ON_EXISTING).optional(),
  'accept-lossy': names.optional(),
  decimal: z.enum(DECIMALS).optional(),
  verify: z.enum(PROOFS).optional(),
  with: names.optional(),
  'checkpoint-size': positive.optional(),
  workers: positive.max(64).optional(),
  rate: positive.optional(),
  'max-aside': z.int().min(0).optional(),
  'batch-size': positive.optional(),
  parallel: positive.max(64).optional(),
  exclude: z.array(word).optional(),
  by: word.optional(),
  'older-than': word.optional(),
  calendar: z.enum(CALENDAR_UNITS).optional(),
  'first-month': z.union([word, positive.max(12)]).optional(),
  'year-offset': z.int().min(-100).max(100).optional(),
  'first-weekday': z.union([word, positive.max(7)]).optional(),
  between: word.optional(),
  zone: word.optional(),
  'as-text': names.optional(),
  grace: word.optional(),
  'file-size': word.optional(),
  memory: word.optional(),
  'check-files': z.enum(CHECKED_FILES).optional(),
  samples: z.int().min(0).optional(),
  runs: positive.optional(),
  limit: positive.optional(),
  'log-file': word.optional(),
  'max-runtime': z.union([word, z.number().positive()]).optional(),
  metrics: z.union([word, z.int().min(0).max(65_535)]).optional(),
  ascii: z.boolean().optional(),
  verbose: z.boolean().optional(),
})

/** Keys that the file may contain. */
export const CONFIG_KEYS: readonly string[] = Object.keys(schema.shape)

export type ConfigDefaults = Readonly<z.infer<typeof schema>>

function badConfig(file: string, message: string, hint: string): SluiceError {
  return new SluiceError('BAD_CONFIG', message, { where: file, hint })
}

type Lined = { readonly document: Document; readonly lines: LineCounter }

/** Messages of a schema issue, each with its location in the file. */
function issueTexts(issue: z.core.$ZodIssue, lined: Lined): readonly string[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = path[0] === 'lifecycle' ? suggested(key, LIFECYCLE_KEYS) : ''
      const within = path.length === 0 ? '' : `${path.join('.')}: `
      return `${within}unknown key ${key}${meant}${placeOf([...path, key], true, lined)}`
    })
  }
  // For an invalid key of a record the reason is in the nested issue.
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  const key = path.join('.')
  return [`${key === '' ? message : `${key}: ${message}`}${placeOf(path, issue.code === 'invalid_key', lined)}`]
}

/** Hint: the keys that the file, or an entry of `lifecycle`, may contain. */
function keysHint(issues: readonly z.core.$ZodIssue[]): string {
  const inEntry = ({ path }: z.core.$ZodIssue): boolean => path[0] === 'lifecycle' && path.length > 1
  const hints = [
    ...(issues.every(inEntry) ? [] : [`its keys are ${CONFIG_KEYS.join(', ')}`]),
    ...(issues.some(inEntry) ? [`keys of a table in lifecycle are ${LIFECYCLE_KEYS.join(', ')}`] : []),
  ]
  return hints.join('; ')
}

/** ` (line 3, column 5)` of a value or its key; '' if the file does not contain it. */
function placeOf(path: readonly PropertyKey[], ofKey: boolean, { document, lines }: Lined): string {
  const name = path.at(-1)
  const parent = document.getIn(path.slice(0, -1), true)
  const pair =
    name === undefined || !isMap(parent)
      ? undefined
      : parent.items.find(({ key }) => (isScalar(key) ? String(key.value) : String(key)) === String(name))
  const node = pair === undefined ? document.getIn(path, true) : ofKey || pair.value === null ? pair.key : pair.value
  return at(isNode(node) ? node.range?.[0] : undefined, lines)
}

/** Reads and validates the file. @throws SluiceError BAD_CONFIG that names the wrong keys */
export function readConfig(file: string): ConfigDefaults {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SluiceError('BAD_CONFIG', 'the config file cannot be read', {
      where: file,
      reason,
      hint: 'check the path of --config',
      cause: error,
    })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const data = dataOf(document, lines, file)
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => issueTexts(issue, { document, lines })).join('; ')
  throw badConfig(file, `the config file is not valid: ${problems}`, keysHint(result.error.issues))
}

function dataOf(document: Document.Parsed, lines: LineCounter, file: string): unknown {
  const fail = (reason: string): SluiceError =>
    badConfig(file, `the config file is not YAML: ${reason}`, 'correct that line')
  const [error] = document.errors
  if (error?.code === 'MULTIPLE_DOCS') throw fail(`it has several documents${at(error.pos[0], lines)}`)
  if (error !== undefined) throw fail((error.message.split('\n')[0] ?? '').replace(/:$/, ''))
  visit(document, {
    Pair: (_, { key }) => {
      if (isCollection(key)) throw fail(`a key must be a word, not a list or map${at(key.range?.[0], lines)}`)
    },
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return
      throw fail(`*${alias.source} has no anchor &${alias.source} before it${at(alias.range?.[0], lines)}`)
    },
  })
  try {
    return document.toJS() ?? {}
  } catch (thrown) {
    throw fail(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** ` (line 3, column 5)` of an offset; '' for undefined. */
function at(offset: number | undefined, lines: LineCounter): string {
  if (offset === undefined) return ''
  const { line, col } = lines.linePos(offset)
  return ` (line ${line}, column ${col})`
}
