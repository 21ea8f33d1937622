/**
 * Source keys already compared. If several source rows get the same key in the target, the target has only one of them.
 */
import { createHash } from 'node:crypto'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { keyPositions } from '../table/context.ts'

/** Limit of keys: three quarters of a hash table of 2^24 slots, which takes 320 MiB. */
const MOST_KEYS = 12_582_912
const FIRST_SLOTS = 1024
/** 32-bit words of a digest. */
const WORDS = 4

/** One pass over the rows. */
export type KeyPass = {
  /**
   * @returns `first`: the first row of each key. `others`: further rows of these keys, which the target does not have.
   * @throws SluiceError UNSUPPORTED_KEY if there are too many keys
   */
  taken(plan: TablePlan, rows: readonly Row[]): { readonly first: ReadonlySet<Row>; readonly others: readonly Row[] }
}

/** Keys as 128-bit digests (collisions ruled out in practice), each with the last pass that read it. */
export class ComparedKeys {
  /** Part compared by each pass, indexed by pass number from 1. */
  readonly #parts: number[] = [0]
  #digests = new Uint32Array(FIRST_SLOTS * WORDS)
  #passes = new Uint32Array(FIRST_SLOTS)
  #size = 0

  /** @param part number of the part of the table that is read: passes over one part read the same rows */
  pass(part = 0): KeyPass {
    const pass = this.#parts.push(part) - 1
    return { taken: (plan, rows) => this.#takeFirst(plan, rows, pass) }
  }

  #takeFirst(plan: TablePlan, rows: readonly Row[], pass: number): ReturnType<KeyPass['taken']> {
    const places = keyPositions(plan)
    const first = new Set(rows.filter((row) => this.#isFirst(keyTextOf(row, places), pass)))
    // More keys would need too much memory.
    if (this.#size > MOST_KEYS) throw tooMany(plan)
    return { first, others: rows.filter((row) => !first.has(row)) }
  }

  #isFirst(text: string, pass: number): boolean {
    if (this.#size * 4 >= this.#passes.length * 3) this.#grow()
    const digest = createHash('md5').update(text).digest()
    const words = Uint32Array.from({ length: WORDS }, (_, i) => digest.readUInt32LE(i * 4))
    const slot = slotOf(words, this.#digests, this.#passes)
    const before = this.#passes[slot] ?? 0
    if (before === 0) {
      this.#size++
      this.#digests.set(words, slot * WORDS)
    } else if (before === pass || this.#parts[before] !== this.#parts[pass]) return false
    this.#passes[slot] = pass
    return true
  }

  #grow(): void {
    const [digests, passes] = [this.#digests, this.#passes]
    this.#digests = new Uint32Array(digests.length * 2)
    this.#passes = new Uint32Array(passes.length * 2)
    for (const [slot, pass] of passes.entries()) {
      if (pass === 0) continue
      const words = digests.subarray(slot * WORDS, (slot + 1) * WORDS)
      const other = slotOf(words, this.#digests, this.#passes)
      this.#digests.set(words, other * WORDS)
      this.#passes[other] = pass
    }
  }
}

/** Slot of a digest, or the free slot for it. */
function slotOf(words: Uint32Array, digests: Uint32Array, passes: Uint32Array): number {
  const mask = passes.length - 1
  let slot = (words[0] ?? 0) & mask
  while (passes[slot] !== 0 && words.some((word, i) => digests[slot * WORDS + i] !== word)) slot = (slot + 1) & mask
  return slot
}

function tooMany({ source, target }: TablePlan): SluiceError {
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `more than ${MOST_KEYS} rows of ${source.table.name} would have to be compared with each other`,
    {
      reason: `the key loses data in ${target.table.name}: two rows of the source may have the same key there`,
      hint: 'compare the table in parts: run sluice diff with a different --where for each part',
    },
  )
}
