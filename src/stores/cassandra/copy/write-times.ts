/** Write time and TTL of each written value: the source's, cell by cell, unless the options set others. */
import type { WriteTimes } from '../../../model/copy/rows.ts'

/**
 * `time`: write time in microseconds since 1970; null for the server's own time. `life`: TTL in seconds; null if not
 * set, 0 for no expiry.
 */
export type TimeAndTtl = {
  readonly time: bigint | null
  readonly life: number | null
  /** Start of the TTL in milliseconds since 1970 by this program's clock; absent: when it is written. */
  readonly sinceMs?: number
}

export type TimeOptions = {
  readonly ttl?: number
  readonly writetime?: string
  readonly dropStamps?: true
  /**
   * Columns of the target. If set, every value of a row gets the latest write time (`timesOf`) or the longest TTL
   * (`livesOf`) of these columns.
   */
  readonly timesOf?: readonly string[]
  readonly livesOf?: readonly string[]
}

/** Columns with the same write time and TTL are one group; `at`: positions in the row. */
export type TimeGroup = { readonly using: TimeAndTtl; readonly at: readonly number[] }

export type RowUsing = {
  readonly groups: readonly TimeGroup[]
  /** Write time and TTL of the key, and of collections whose write times the server does not return. */
  readonly whole: TimeAndTtl
}

export class ChunkWriteTimes {
  readonly #now: bigint
  readonly #life: number | null
  readonly #time: bigint | null
  readonly #drop: boolean
  readonly #timesOf: readonly number[] | null
  readonly #lifetimesOf: readonly number[] | null

  /** @param names columns of the rows @param now microseconds, for rows of unknown write time */
  constructor(names: readonly string[], options: TimeOptions, now: bigint) {
    const positions = (some: readonly string[] | undefined): readonly number[] | null =>
      some === undefined ? null : some.map((name) => names.indexOf(name)).filter((at) => at >= 0)
    this.#now = now
    this.#life = options.ttl ?? null
    this.#time = options.writetime === undefined ? null : BigInt(options.writetime)
    this.#drop = options.dropStamps === true
    this.#timesOf = positions(options.timesOf)
    this.#lifetimesOf = positions(options.livesOf)
  }

  /**
   * @param at positions of the values that are written
   * @param absent positions of the values that are removed. They get their own time if the stamp has one, otherwise the
   * row's time, so that older values are removed
   * @param isBare true for a row without values of its own: static values do not determine its TTL, so it stays
   */
  of(stamp: WriteTimes | undefined, at: readonly number[], absent: readonly number[] = [], isBare = false): RowUsing {
    if (stamp === undefined || this.#drop) {
      const whole = { time: this.#time ?? (this.#drop ? null : this.#now), life: this.#life }
      return { groups: at.length + absent.length === 0 ? [] : [{ using: whole, at: [...at, ...absent] }], whole }
    }
    const whole = this.#whole(absent.length === 0 ? stamp : without(stamp, absent), isBare)
    const alike = absent.length === 0 ? this.#alike(stamp, at, whole) : null
    if (alike !== null) return { groups: [{ using: alike, at }], whole }
    const byUsing = new Map<string, { using: TimeAndTtl; at: number[] }>()
    const { sinceMs } = whole
    const since = sinceMs === undefined ? {} : { sinceMs }
    const put = (using: TimeAndTtl, position: number): void => {
      const name = `${using.time}/${using.life}`
      const known = byUsing.get(name)
      if (known === undefined) byUsing.set(name, { using, at: [position] })
      else known.at.push(position)
    }
    for (const position of at) {
      put(
        { time: this.#timeOf(stamp, position, whole), life: this.#lifeOf(stamp, position, whole), ...since },
        position,
      )
    }
    for (const position of absent) put({ ...whole, time: stamp.times[position] ?? whole.time }, position)
    // The key expires with the value that expires last: it is written with that group.
    const groups = [...byUsing.values()].toSorted((a, b) => byExpiry(b.using, a.using))
    return { groups, whole }
  }

  /** Write time and TTL of all these values; null if they differ. Most rows were written by one statement. */
  #alike(stamp: WriteTimes, at: readonly number[], whole: TimeAndTtl): TimeAndTtl | null {
    let using: TimeAndTtl | null = null
    for (const position of at) {
      const time = this.#timeOf(stamp, position, whole)
      const life = this.#lifeOf(stamp, position, whole)
      if (using === null) using = { ...whole, time, life }
      else if (using.time !== time || using.life !== life) return null
    }
    return using
  }

  #timeOf({ times }: WriteTimes, position: number, whole: TimeAndTtl): bigint | null {
    if (this.#time !== null || this.#timesOf !== null) return whole.time
    return times[position] ?? whole.time
  }

  #lifeOf({ times, lifetimes }: WriteTimes, position: number, whole: TimeAndTtl): number | null {
    if (this.#life !== null || this.#lifetimesOf !== null) return whole.life
    return times[position] == null ? whole.life : (lifetimes[position] ?? 0)
  }

  #whole({ times, lifetimes, readMs }: WriteTimes, isBare: boolean): TimeAndTtl {
    // A TTL set by the run's options counts from the write.
    const since = this.#life !== null || readMs === undefined ? {} : { sinceMs: readMs }
    const longest = isBare && this.#lifetimesOf === null ? 0 : this.#longest(times, lifetimes)
    return { time: this.#time ?? this.#latest(times), life: this.#life ?? longest, ...since }
  }

  #latest(times: WriteTimes['times']): bigint {
    const some = this.#timesOf === null ? times : this.#timesOf.map((at) => times[at] ?? null)
    let latest: bigint | null = null
    for (const time of some) if (time !== null && (latest === null || time > latest)) latest = time
    return latest ?? this.#now
  }

  /**
   * TTL of the key and of values without their own TTL: the longest TTL of the other values; 0 if one of these never
   * expires.
   */
  #longest(times: WriteTimes['times'], lifetimes: WriteTimes['lifetimes']): number {
    if (this.#lifetimesOf !== null) return Math.max(0, ...this.#lifetimesOf.map((at) => lifetimes[at] ?? 0))
    let longest = 0
    for (const [at, time] of times.entries()) {
      if (time === null) continue
      const life = lifetimes[at] ?? null
      if (life === null) return 0
      longest = Math.max(longest, life)
    }
    return longest
  }
}

/** Leaves out the times of removed values: these do not determine the row's write time. */
function without(stamp: WriteTimes, absent: readonly number[]): WriteTimes {
  return { ...stamp, times: stamp.times.map((time, at) => (absent.includes(at) ? null : time)) }
}

/** Positive if `a` expires later than `b`, or at the same time with a later write time. */
export function byExpiry(a: TimeAndTtl, b: TimeAndTtl): number {
  const order = (life: number | null): number => (life === null || life === 0 ? Number.POSITIVE_INFINITY : life)
  const [left, right] = [order(a.life), order(b.life)]
  if (left !== right) return left > right ? 1 : -1
  const [here, there] = [a.time ?? 0n, b.time ?? 0n]
  return here === there ? 0 : here > there ? 1 : -1
}
