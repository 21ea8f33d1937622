/** Reads Java properties files as `spark-submit --properties-file` does: with escapes and continuation lines. */
import { readFileSync } from 'node:fs'
import { SluiceError } from '../../shared/errors.ts'

export type Property = {
  readonly key: string
  readonly value: string
  /** `file:line`, or the flag. */
  readonly where: string
}

/** @throws SluiceError BAD_CONFIG if the file cannot be read */
export function readPropertiesFile(file: string): readonly Property[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new SluiceError('BAD_CONFIG', `the properties file ${file} cannot be read`, {
      reason: error instanceof Error ? error.message : String(error),
      hint: 'give --properties the path of a file with lines like spark.cdm.perfops.numParts 64',
    })
  }
  return parseProperties(text, file)
}

/** `key=value` of a `--conf`. @throws SluiceError BAD_FLAG */
export function confProperty(word: string): Property {
  const equals = word.indexOf('=')
  const key = word.slice(0, Math.max(0, equals)).trim()
  if (key === '') {
    throw new SluiceError('BAD_FLAG', '--conf takes key=value', {
      hint: 'write it like --conf spark.cdm.perfops.numParts=64',
    })
  }
  return { key, value: word.slice(equals + 1).trim(), where: '--conf' }
}

/**
 * @param file for messages
 * @returns properties in file order; if a key is repeated, the last property must be used
 * @throws SluiceError BAD_CONFIG for an invalid escape
 */
export function parseProperties(text: string, file: string): readonly Property[] {
  const found: Property[] = []
  for (const { line, no } of logicalLines(text)) {
    const { key, rest } = splitLine(line)
    const where = `${file}:${no}`
    // Spark trims both ends; Java keeps blanks after the value.
    found.push({ key: unescaped(key, where), value: unescaped(rest, where).trim(), where })
  }
  return found
}

/** Logical lines with a property, continuation lines joined; `no` is the number of the first line, from 1. */
function* logicalLines(text: string): Generator<{ readonly line: string; readonly no: number }> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  let open: { line: string; no: number } | null = null
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/^[ \t\f]+/, '')
    if (open === null && (line === '' || /^[#!]/.test(line))) continue
    const goesOn = /(?:^|[^\\])(?:\\\\)*\\$/.test(line)
    const whole = goesOn ? line.slice(0, -1) : line
    open = open === null ? { line: whole, no: index + 1 } : { line: open.line + whole, no: open.no }
    if (goesOn) continue
    yield open
    open = null
  }
  if (open !== null) yield open
}

/** The key ends at the first unescaped `=`, `:` or blank. */
function splitLine(line: string): { readonly key: string; readonly rest: string } {
  const key = /^(?:\\.|[^\\=:\s])*/s.exec(line)?.[0] ?? ''
  return { key, rest: line.slice(key.length).replace(/^[ \t\f]*(?:[=:][ \t\f]*)?/, '') }
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string, where: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.)|$)/gs, (_whole, code?: string, one?: string) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    if (one === 'u') {
      throw new SluiceError('BAD_CONFIG', 'an escape with \\u needs four hexadecimal digits', {
        where,
        hint: 'escape a backslash as \\\\',
      })
    }
    return one === undefined ? '' : (ESCAPES[one] ?? one)
  })
}
