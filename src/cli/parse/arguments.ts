/** Reads yargs values with checks that yargs does not make: empty texts, NaN, flags given twice. */
import { isS3Url, parseLakeUrl } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'

export type Arguments = Readonly<Record<string, unknown>>

/** Names of operands; all else is a flag. */
const OPERANDS: ReadonlySet<string> = new Set(['table', 'path', 'words', 'run', 'query', 'action', 'shell'])
const shown = (name: string): string => (OPERANDS.has(name) ? name.toUpperCase() : `--${name}`)

/** @throws SluiceError BAD_FLAG if the flag was given twice */
function single(args: Arguments, name: string, as: string): unknown {
  const value = args[name]
  if (Array.isArray(value)) {
    throw new SluiceError('BAD_FLAG', `${as} is given ${value.length} times`, { hint: 'give it once' })
  }
  return value
}

/**
 * Text of a flag or operand; undefined if absent.
 * @param as name for messages
 * @throws SluiceError BAD_FLAG if it is empty
 */
export function givenText(args: Arguments, name: string, as: string = shown(name)): string | undefined {
  const value = single(args, name, as)
  if (typeof value !== 'string') return undefined
  if (value.trim() === '') {
    throw new SluiceError('BAD_FLAG', `${as} is empty`, {
      hint: 'if it comes from a variable, check that the variable is set',
    })
  }
  // Refuse bad S3 URLs before anything is printed, logged or recorded.
  if (isS3Url(value)) parseLakeUrl(value)
  return value
}

/** Text of a required flag or operand. @throws SluiceError BAD_FLAG */
export function requiredText(args: Arguments, name: string): string {
  const value = givenText(args, name)
  if (value === undefined) throw new SluiceError('BAD_FLAG', `${shown(name)} is missing`)
  return value
}

/** An integer; undefined if absent. @throws SluiceError BAD_FLAG if it is no integer or out of bounds */
export function givenCount(
  args: Arguments,
  name: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
  as: string = shown(name),
): number | undefined {
  const value = single(args, name, as)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  const wrong = typeof value === 'number' && !Number.isNaN(value) ? `, not ${value}` : ''
  throw new SluiceError('BAD_FLAG', `${as} must be a whole number ${bounds}${wrong}`)
}

/** A required integer. @throws SluiceError BAD_FLAG */
export function requiredCount(args: Arguments, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = givenCount(args, name, least, most)
  if (value === undefined) throw new SluiceError('BAD_FLAG', `${shown(name)} is missing`)
  return value
}

/** Value of a boolean flag. If the flag is repeated, the last value is used. */
export function givenFlag(args: Arguments, name: string): boolean {
  const value = args[name]
  return Array.isArray(value) ? value.at(-1) === true : value === true
}

/**
 * All values of a repeatable flag.
 * @param as name for messages
 * @throws SluiceError BAD_FLAG if one is empty
 */
export function givenList(args: Arguments, name: string, as: string = shown(name)): readonly string[] {
  const value = args[name]
  const texts = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(String)
  if (texts.some((item) => item.trim() === '')) {
    const empty = name === 'partition' ? `; the partition of the empty text is '""'` : ''
    throw new SluiceError('BAD_FLAG', `${as} is empty`, {
      hint: `if it comes from a variable, check that the variable is set${empty}`,
    })
  }
  return texts
}

/** An object with the key, or without it if the value is undefined (exactOptionalPropertyTypes). */
export function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }
}

/** The error for two options that cannot be combined. */
export function exclusive(one: string, other: string, hint = 'remove one of the two'): SluiceError {
  return new SluiceError('BAD_FLAG', `${one} and ${other} exclude each other`, { hint })
}
