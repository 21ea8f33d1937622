/** PostgreSQL's array literals as JSON arrays: `{1,NULL,"a b"}` as `[1,null,"a b"]`, which is what `to_jsonb` makes of the array. */
import type { ColumnType } from '../../../../model/copy/column-type.ts'
import { refusedValue } from '../../../../model/copy/refused.ts'

/** How one element that is not NULL is written in JSON. */
export type ElementJson = (text: string) => string

/** `[0:2]={…}`: bounds of the dimensions, where they are not 1 and so on. JSON has none. */
const BOUNDS = /^(?:\[[+-]?\d+:[+-]?\d+\])+=/

/**
 * @param delimiter between elements, as pg_type.typdelim
 * @throws SluiceError VALUE_REFUSED for a text that is no array
 */
export function arrayJson(literal: string, element: ElementJson, delimiter = ','): string {
  let at = BOUNDS.exec(literal)?.[0].length ?? 0
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

/** For elements of a type that every system knows; null for others. */
export function elementJson(type: ColumnType): ElementJson | null {
  switch (type.kind) {
    case 'bool':
      return (text) => (text === 't' ? 'true' : 'false')
    case 'int':
      return (text) => text
    case 'decimal':
    case 'float':
      // NaN and the infinities are texts in JSON.
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
