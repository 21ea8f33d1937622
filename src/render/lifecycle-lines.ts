/** Phases of tables as lines: each table once, below it its four phases, below each its obstacles and next command. */
import type { LifecyclePhaseEvent } from '../model/partition/lifecycle-events.ts'
import { oneLine, visible } from '../shared/visible.ts'

const NUMBERS = ['', 'I', 'II', 'III', 'IV']
const STATE_WIDTH = 13
const NAME_WIDTH = 19

export class LifecycleLines {
  #table: string | null = null

  /** The lines of a phase, each with its line end. */
  lines({ table, phase, name, state, detail, blocks = [], next, also = [] }: LifecyclePhaseEvent): string {
    const lines: string[] = []
    if (table !== this.#table) lines.push(visible(table))
    this.#table = table
    const numbered = `${(NUMBERS[phase] ?? '').padEnd(3)} ${name}`
    lines.push(`  ${state.padEnd(STATE_WIDTH)}  ${numbered.padEnd(NAME_WIDTH)}  ${visible(detail)}`)
    const under = ' '.repeat(STATE_WIDTH + 4)
    for (const block of blocks) lines.push(`${under}why  ${visible(block)}`)
    if (next !== undefined) lines.push(`${under}do   ${next}`)
    for (const command of also) lines.push(`${under}or   ${command}`)
    return lines.map((line) => `${oneLine(line.trimEnd())}\n`).join('')
  }
}
