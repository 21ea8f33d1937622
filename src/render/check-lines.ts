/** Checks of `doctor` and phases of tables as lines. */
import type { CheckEvent } from '../model/run/event.ts'
import { oneLine, visible } from '../shared/visible.ts'
import { pad } from './cells.ts'
import type { LifecyclePhaseEvent } from '../model/partition/lifecycle-events.ts'

const WORDS = { ok: 'ok', warn: 'warn', fail: 'FAIL' } as const
const CHECK_WIDTH = 18

/** Prints each area once, its checks below it, and below a problem its cause and remedy. */
export class CheckLines {
  #area: string | null = null

  /** The lines of a finding, each with its line end. */
  lines(event: CheckEvent): string {
    const lines: string[] = []
    if (event.area !== this.#area) lines.push(oneLine(event.area))
    this.#area = event.area
    lines.push(`  ${WORDS[event.status].padEnd(4)}  ${pad(oneLine(event.check), CHECK_WIDTH)}  ${oneLine(event.found)}`)
    if (event.cause !== undefined) lines.push(`        cause  ${oneLine(event.cause)}`)
    if (event.hint !== undefined) lines.push(`        do     ${oneLine(event.hint)}`)
    return lines.map((line) => `${line.trimEnd()}\n`).join('')
  }
}

const NUMBERS = ['', 'I', 'II', 'III', 'IV']
const STATE_WIDTH = 13
const NAME_WIDTH = 19

/** Prints each table once, its four phases below it, and below each phase its obstacles and next command. */
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
