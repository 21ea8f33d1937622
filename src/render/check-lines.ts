/** Findings of `doctor` as lines: each area once, its checks below it, and below a problem its cause and what to do. */
import type { CheckEvent } from '../model/run/event.ts'
import { oneLine } from '../shared/visible.ts'
import { pad } from './cells.ts'

const WORDS = { ok: 'ok', warn: 'warn', fail: 'FAIL' } as const
const CHECK_WIDTH = 18

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
