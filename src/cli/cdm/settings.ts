/** Properties of one call, from a file and from `--conf`: checks the keys and reads values as text, number or list. */
import { SluiceError } from '../../shared/errors.ts'
import { isSparkKey, knownKey, currentName, nearestKey } from './known-keys.ts'
import type { Property } from './properties-file.ts'

export class CdmSettings {
  readonly #values = new Map<string, Property>()
  /** Notes on properties that are ignored. */
  readonly notes: readonly string[]

  /**
   * @param properties if a key is repeated, the last property is used
   * @throws SluiceError BAD_CONFIG for an unsupported property
   */
  constructor(properties: readonly Property[]) {
    const notes: string[] = []
    const idle: string[] = []
    for (const property of properties) {
      const key = currentName(property.key)
      if (knownKey(key) === null) {
        if (isSparkKey(key) || !key.startsWith('spark.')) idle.push(key)
        else notes.push(unknown(property))
      } else if (property.value === '') this.#values.delete(key)
      else this.#values.set(key, { ...property, key })
    }
    for (const [key, { value, where }] of this.#values) {
      const known = knownKey(key)
      if (known?.is === 'idle') idle.push(key)
      if (known?.is !== 'refused' || known.harmless?.includes(value) === true) continue
      throw new SluiceError('BAD_CONFIG', `${key} is not supported`, { where, hint: known.hint })
    }
    if (idle.length > 0) notes.push(`these properties have no effect here: ${[...new Set(idle)].join(', ')}`)
    this.notes = notes
  }

  text(key: string): string | undefined {
    return this.#values.get(key)?.value
  }

  where(key: string): string {
    return this.#values.get(key)?.where ?? ''
  }

  /** @throws SluiceError BAD_CONFIG */
  flag(key: string): boolean | undefined {
    const value = this.text(key)?.toLowerCase()
    if (value === undefined) return undefined
    if (value === 'true' || value === 'false') return value === 'true'
    throw this.bad(key, 'takes true or false')
  }

  /** @throws SluiceError BAD_CONFIG */
  count(key: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.text(key)
    if (value === undefined) return undefined
    const number = Number(value)
    if (/^\d{1,16}$/.test(value) && number >= least && number <= most) return number
    throw this.bad(
      key,
      `must be a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}`,
    )
  }

  /** Text of an integer, which keeps all of its digits. @throws SluiceError BAD_CONFIG */
  whole(key: string): string | undefined {
    const value = this.text(key)
    if (value === undefined || /^-?\d{1,40}$/.test(value)) return value
    throw this.bad(key, 'must be a whole number')
  }

  list(key: string): readonly string[] {
    const value = this.text(key)
    return value === undefined ? [] : value.split(',').map((item) => item.trim())
  }

  /** Error about a property, with its location. */
  bad(key: string, what: string, hint?: string): SluiceError {
    return new SluiceError('BAD_CONFIG', `${key} ${what}`, { where: this.where(key), hint })
  }
}

function unknown({ key, where }: Property): string {
  const meant = nearestKey(key)
  return `unknown property ${key} (${where}) is not applied${meant === null ? '' : `: ${meant} was probably meant`}`
}
