/** Converts JSON arrays to array literals: `[1,null,"a b"]` becomes `{1,NULL,"a b"}`. Numbers keep their digits. */
import { hasArrayBounds } from '../../../model/copy/array-bounds.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'

const STRING = /"(?:[^"\\]|\\.)*"/y
const SCALAR = /[^,\]}\s]+/y

type Elements = 'json' | 'values'

/**
 * `json`: each element is a separate JSON text, even if it is an array. `values`: nested arrays are further dimensions.
 */
export function arrayElements({ of }: ColumnType & { readonly kind: 'list' }): Elements {
  return of.kind === 'json' ? 'json' : 'values'
}

/**
 * @param json canonical JSON of an array, or an array literal with explicit bounds
 * @throws SluiceError VALUE_REFUSED for JSON that is no array
 */
export function arrayLiteral(json: string, of: Elements): string {
  if (hasArrayBounds(json)) return json
  if (!json.startsWith('[')) {
    throw new SluiceError('VALUE_REFUSED', `the value is not a list: ${json.slice(0, 60)}`, {
      hint: 'correct the value at the source, or make the column of the target json or text',
    })
  }
  let at = 0
  const array = (depth: number): string => {
    const items: string[] = []
    for (at++; json[at] !== ']';) {
      if (json[at] === ',') at++
      items.push(of === 'values' && json[at] === '[' ? array(depth + 1) : element())
    }
    at++
    return `{${items.join(',')}}`
  }
  const element = (): string => {
    if (json[at] === '{' || json[at] === '[') return quoted(whole())
    if (json[at] === '"') {
      const text = match(STRING)
      return quoted(of === 'json' ? text : (JSON.parse(text) as string))
    }
    const text = match(SCALAR)
    return text === 'null' ? 'NULL' : text
  }
  /** The text of an object or array that is a single value. */
  const whole = (): string => {
    const start = at
    for (let depth = 0; ;) {
      const char = json[at]
      if (char === '"') {
        match(STRING)
        continue
      }
      at++
      if (char === '{' || char === '[') depth++
      else if ((char === '}' || char === ']') && --depth === 0) return json.slice(start, at)
    }
  }
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const [text = ''] = pattern.exec(json) ?? []
    if (text === '') throw new Error('this JSON is not in canonical form')
    at += text.length
    return text
  }
  return array(0)
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
