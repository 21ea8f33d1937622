/** Converts PostgreSQL's array literals to JSON: `{1,NULL,"a b"}` becomes `[1,null,"a b"]`, as `to_jsonb` does. */
import type { ColumnType } from '../../../../model/copy/column-type.ts'
import { refusedValue } from '../../../../model/copy/refused.ts'

/** Writes one element that is not NULL as JSON. */
export type ElementJson = (text: string) => string

/**
 * @param literal without explicit bounds of its subscripts, which JSON cannot express
 * @param delimiter between elements: pg_type.typdelim
 * @throws SluiceError VALUE_REFUSED if the text is not an array
 */
export function arrayJson(literal: string, element: ElementJson, delimiter = ','): string {
  let at = 0
  const array = (): string => {
    const items: string[] = []
    for (at++; literal[at] !== '}';) {
      if (items.length > 0) {
        if (literal[at] !== delimiter) throw refusedValue('an array', literal)
        at++
      }
      items.push(literal[at] === '{' ? array() : item())
    }
    at++
    return `[${items.join(',')}]`
  }
  const item = (): string => {
    if (literal[at] === '"') return element(quoted())
    const start = at
    while (at < literal.length && literal[at] !== delimiter && literal[at] !== '}') at++
    if (at === start || at >= literal.length) throw refusedValue('an array', literal)
    const text = literal.slice(start, at)
    return text === 'NULL' ? 'null' : element(text)
  }
  const quoted = (): string => {
    const start = ++at
    let escaped = false
    for (; literal[at] !== '"'; at++) {
      if (literal[at] === '\\') {
        escaped = true
        at++
      }
      if (at >= literal.length) throw refusedValue('an array', literal)
    }
    const text = literal.slice(start, at++)
    return escaped ? text.replaceAll(/\\(.)/gs, '$1') : text
  }
  if (literal[at] !== '{') throw refusedValue('an array', literal)
  const json = array()
  if (at !== literal.length) throw refusedValue('an array', literal)
  return json
}

/** @returns null for lists and native types */
export function elementJson(type: ColumnType): ElementJson | null {
  switch (type.kind) {
    case 'bool':
      return (text) => (text === 't' ? 'true' : 'false')
    case 'int':
      return (text) => text
    case 'decimal':
    case 'float':
      // JSON stores NaN and the infinities as texts.
      return (text) => (/n/i.test(text) ? JSON.stringify(text) : text)
    case 'timestamp':
      return type.zone
        ? (text) => JSON.stringify(text.replace(' ', 'T').replace('+00', '+00:00'))
        : (text) => JSON.stringify(text.replace(' ', 'T'))
    case 'json':
      return (text) => text
    case 'text':
    case 'bytes':
    case 'uuid':
    case 'date':
    case 'time':
      return (text) => JSON.stringify(text)
    case 'list':
    case 'native':
      return null
  }
}
