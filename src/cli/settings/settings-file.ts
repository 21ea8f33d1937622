/** `migrator_settings.yaml` of the parallel script for Cassandra. All keys are optional. */
import { readFileSync } from 'node:fs'
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Node, type Pair } from 'yaml'
import { MOST_SCRIPT_WORKERS, type ScriptSizes } from '../../model/copy/script-presets.ts'
import { SluiceError } from '../../shared/errors.ts'
import { closest } from '../../shared/closest.ts'
import { grouped } from '../../shared/figures.ts'

type Setting = {
  readonly name: keyof ScriptSizes
  /** Range that the script recommends; other numbers are accepted too. */
  readonly from: number
  readonly to: number
  /** Upper limit; larger values are reduced to it. */
  readonly most: number
}

const SETTINGS: Readonly<Record<string, Setting>> = {
  MAX_WORKERS: { name: 'workers', from: 1, to: 10, most: MOST_SCRIPT_WORKERS },
  // The protocol counts the statements of a batch in two bytes.
  BATCH_INSERT_SIZE: { name: 'batchRows', from: 10, to: 100, most: 65_535 },
  FETCH_BATCH_SIZE: { name: 'pageRows', from: 50, to: 500, most: 100_000 },
}

export type FileSettings = {
  readonly values: Partial<ScriptSizes>
  /** Problems that do not prevent the run. Values of unknown keys are never shown. */
  readonly warnings: readonly string[]
}

/** @throws SluiceError BAD_CONFIG, with the line, if the file cannot be read or a setting is no integer from 1 up */
export function readSettingsFile(file: string): FileSettings {
  return parseSettings(textOf(file), file)
}

/** @param file name for messages @throws SluiceError BAD_CONFIG, with the line */
export function parseSettings(text: string, file: string): FileSettings {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (offset: number | undefined): string =>
    offset === undefined ? file : `${file}:${lines.linePos(offset).line}`
  const [broken] = document.errors
  if (broken !== undefined) {
    throw new SluiceError('BAD_CONFIG', `the settings file is not YAML: ${broken.message}`, {
      where: lineOf(broken.pos[0]),
      hint: 'correct that line',
    })
  }
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return { values: {}, warnings: [] }
  if (!isMap(contents)) {
    throw new SluiceError('BAD_CONFIG', 'the settings file has no keys with values', {
      where: lineOf((contents as Node).range?.[0]),
      hint: 'write one setting a line, such as MAX_WORKERS: 5',
    })
  }
  const values: { -readonly [K in keyof ScriptSizes]?: number } = {}
  const warnings: string[] = []
  const unknown: string[] = []
  for (const pair of contents.items as Pair<Node, Node | null>[]) {
    const key = isScalar(pair.key) ? String(pair.key.value) : pair.key.toString()
    const setting = SETTINGS[key]
    if (setting === undefined) {
      unknown.push(key)
      continue
    }
    const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value
    const value = isScalar(node) ? node.value : node
    const where = lineOf(pair.key.range?.[0])
    const number = countOf(key, value, where, setting)
    if (number < setting.from || number > setting.to) warnings.push(rangeWarning(key, number, setting))
    values[setting.name] = Math.min(number, setting.most)
  }
  if (unknown.length > 0) warnings.push(ignored(unknown))
  return { values, warnings }
}

/** Warning about a number outside of the recommended range; the run uses it. */
export function rangeWarning(key: string, number: number, { from, to, most }: Setting): string {
  const used = number > most ? `; ${grouped(most)} are used, which is the maximum` : ''
  return `${key} is ${grouped(number)}, and ${grouped(from)} to ${grouped(to)} are recommended${used}`
}

function countOf(key: string, value: unknown, where: string, { from, to }: Setting): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  const hint = `write a whole number, ${from} to ${to} are recommended; or remove the key`
  if (value === null) throw new SluiceError('BAD_CONFIG', `${key} has no value`, { where, hint })
  // A list or a text may contain anything, also a password.
  const wrong = typeof value === 'number' ? `, not ${value}` : typeof value === 'string' ? ', not a text' : ''
  throw new SluiceError('BAD_CONFIG', `${key} must be a whole number of at least 1${wrong}`, { where, hint })
}

function ignored(keys: readonly string[]): string {
  const known = Object.keys(SETTINGS)
  const named = keys.map((key) => {
    const meant = closest(
      key,
      known.map((name) => name.toLowerCase()),
    )
    return meant === null ? key : `${key} (${meant.toUpperCase()}?)`
  })
  const what = keys.length === 1 ? 'a key that is not known is' : 'keys that are not known are'
  return `${what} left out: ${named.join(', ')}; hosts and tables come from --from, --to and --table`
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SluiceError('BAD_CONFIG', 'the settings file cannot be read', {
      where: file,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'check the path after --settings',
      cause: error,
    })
  }
}
