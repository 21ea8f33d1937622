/** Runs a command several times, and returns its time and memory use. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { CACHE, ROOT } from './lakes.mjs'

/** @typedef {{ms: number[], peak: number, stdout: string}} Measured */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * @param {string[]} args of node @param {number} runs
 * @param {{before?: () => void, memory?: boolean}} [options] `before` each run, not timed; without `memory`, `peak.mjs`
 * is not loaded into the process
 * @returns {Measured}
 */
export function measure(args, runs, { before, memory = true } = {}) {
  fs.mkdirSync(CACHE, { recursive: true })
  const peakFile = path.join(CACHE, `peak.${process.pid}`)
  const preload = memory ? ['--import', path.join(import.meta.dirname, 'peak.mjs')] : []
  const env = { ...process.env, SLUICE_BENCH_PEAK: peakFile }
  const ms = []
  let peak = 0
  let stdout = ''
  for (let run = 0; run < runs; run++) {
    before?.()
    const start = process.hrtime.bigint()
    const result = spawnSync(process.execPath, [...preload, ...args], {
      cwd: ROOT,
      env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    ms.push(Number(process.hrtime.bigint() - start) / 1e6)
    if (result.status !== 0) {
      throw new Error(
        `node ${args.join(' ')} ended with ${result.status ?? result.signal}\n${`${result.stderr}${result.stdout}`.slice(-2000)}`,
      )
    }
    stdout = result.stdout
    if (memory) peak = Math.max(peak, Number(fs.readFileSync(peakFile, 'utf8')))
  }
  fs.rmSync(peakFile, { force: true })
  return { ms, peak, stdout }
}
