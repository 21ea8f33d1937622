/** The comparison as a Markdown file: figures, machine and method, without claims that the figures do not support. */
import { arch, cpus, platform, release, totalmem } from 'node:os'
import type { AnswerTiming } from '../../../model/run/event.ts'
import { factorText, grouped, measureText, sizeText } from '../../../shared/figures.ts'
import { oneLine } from '../../../shared/visible.ts'
import { latencyText, threadsText } from './latency.ts'
import { requestsText, type CompareResult, type CompareSummary } from './index.ts'
import { COLD_MEANING } from './questions.ts'

export type MachineFacts = {
  readonly cores: number
  readonly processor: string
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
}

export type ReportMeta = {
  readonly tool: string
  /** When the comparison ended, ISO. */
  readonly at: string
  /** Path or URI of the table. */
  readonly source: string
  /** URL of the catalog without password. */
  readonly catalog: string
  readonly machine: MachineFacts
  /** The command line of the run, without secrets. */
  readonly commandLine: string
}

/** Facts about this machine. */
export function machineFacts(): MachineFacts {
  const all = cpus()
  return {
    cores: all.length,
    processor: all[0]?.model.trim() ?? 'unknown processor',
    memoryBytes: totalmem(),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  }
}

/** @returns a whole Markdown document */
export function compareReport(summary: CompareSummary, meta: ReportMeta): string {
  const { plan, results, skipped, table } = summary
  const { machine } = meta
  const counted = results.some(({ files }) => files.requests !== undefined)
  const sections = [
    `# Files against SQL: ${inline(table)}`,
    [
      `- Table: ${code(meta.source)}, version ${plan.version} (log ${plan.logVersion}, catalog ${plan.catalogVersion})`,
      `- Catalog: ${code(meta.catalog)}`,
      `- Machine: ${machine.cores} cores (${machine.processor}), ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${machine.platform}`,
      `- sluice ${meta.tool}, Node ${machine.node}, ${meta.at}`,
      `- Command: ${code(meta.commandLine)}`,
    ].join('\n'),
    verdictText(summary),
    '## Figures',
    markdownTable(
      [
        'Question',
        'Files p50',
        'p95',
        'cold',
        'read',
        'opened',
        ...(counted ? ['requests', 'fetched'] : []),
        'SQL p50',
        'p95',
        'cold',
        'read',
        'Rows',
        'Same',
        'Faster',
      ],
      results.map((result) => [
        inline(result.title),
        ...cells(result.files),
        result.files.opened === null ? '-' : String(result.files.opened),
        ...(counted ? [grouped(result.files.requests ?? '-'), sizeText(result.files.requestBytes ?? '0')] : []),
        ...cells(result.sql),
        grouped(result.rows),
        result.same ? 'yes' : '**no**',
        fasterText(result),
      ]),
    ),
    ...(results.some(({ same }) => !same)
      ? ['## Answers that differ', list(results.filter(({ same }) => !same).map(differenceLine))]
      : []),
    ...(skipped.length === 0
      ? []
      : ['## Not asked', list(skipped.map(({ title, reason }) => `${title}: ${inline(reason)}`))]),
    '## What was asked',
    markdownTable(
      ['Question', 'With', 'From the files', 'From SQL', 'Digest of the answer'],
      results.map(({ title, detail, does, digest }) => [
        inline(title),
        detail === '' ? '' : code(detail),
        does.files,
        does.sql,
        code(digest.slice(0, 16)),
      ]),
    ),
    '## How it was measured',
    list(method(summary)),
  ]
  return `${sections.join('\n\n')}\n`
}

function verdictText({ results, equal, different, faster }: CompareSummary): string {
  const winners = [
    ...(faster.sql > 0 ? [`SQL was faster in ${faster.sql}`] : []),
    ...(faster.files > 0 ? [`the files were faster in ${faster.files}`] : []),
    ...(faster.even > 0 ? [`${faster.even} were even`] : []),
  ]
  const filesWin = results.filter((result) => result.faster === 'files').map(({ title }) => inline(title))
  return [
    `Of ${results.length} questions ${winners.join(', ')}; ${equal} answers were equal on both sides, ${different} were not.`,
    ...(filesWin.length === 0 ? [] : [`Files win: ${filesWin.join(', ')}.`]),
    ...(different === 0 ? [] : ['**Where answers differ, the times compare different work and prove nothing.**']),
  ].join(' ')
}

function method({ runs, cold, plan, results, latency, dialect }: CompareSummary): readonly string[] {
  const requests = requestsText(results)
  return [
    'Both sides answer the same question about the same version and return the same rows. Before anything is timed, both answers are read once and compared by an order-independent sum of the sha256 of every row; no time shown includes these digests.',
    'A row has every field that both sides have: of a file its path, size, time, partition values, deletion vector, tags, row ids, clustering and statistics, of a change its line word for word. Statistics that a checkpoint left out or rewrote are compared by value, as far as both sides have them. For a total, the files that it counts are compared, too.',
    `Warm: ${runs} timed runs per side, alternating, after that first one. p50 is their median, p95 the nearest rank${runs < 20 ? ' (with fewer than 20 runs the slowest)' : ''}.`,
    'Every run of the files lists the log and reads what the question needs, like a reader without a cache. Every run of SQL reads the head row of the table first, over a connection that stays open.',
    ...(cold
      ? [
          `In this report ${COLD_MEANING}: the time runs inside a new Node, from before the store or the connection is opened (the database driver, or DuckDB where a Parquet checkpoint is read, is loaded in it) to the end of the answer. The start of Node and the loading of sluice are not included. Median of up to three runs; fewer if they take long.`,
          'Read: bytes that read calls returned, by the kernel (rchar of /proc/self/io), while the question is asked once more in that process over fresh connections; rows that DuckDB hands over are not counted twice. They come from the page cache or the disk alike. "-" where the system does not report it.',
        ]
      : ['Cold runs and bytes read were not measured.']),
    'Opened: files of the log opened for one answer. If commits could replace a checkpoint, it is read completely before its rows are used: this counts as one more file, and its time is included.',
    `The files are read by sluice's own reader (JavaScript; Parquet through DuckDB). It replays the log for counts and does not take them from a .crc file, as some readers do. Another reader may be faster or slower.`,
    ...(requests === null
      ? ['Everything here is on this machine; a log on an object store pays a round trip for every file opened.']
      : [
          `Requests: to answer one question once, by a reader without cached data of the table. It fetches up to 16 commits at a time and, for the newest version, lists the log from its last checkpoint on. SQL sends no request to the lake. ${sentence(requests)}`,
        ]),
    sentence(threadsText(dialect)),
    ...(latency.ms > 0 ? [sentence(latencyText(latency))] : []),
    `The import that made the catalog (versions ${plan.from} to ${plan.catalogVersion} are in both) is not included in any figure.`,
    'Faster compares the warm medians; a difference up to 5 % is called even.',
  ]
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function cells(side: AnswerTiming): readonly string[] {
  return [
    measureText(side.p50Ms),
    measureText(side.p95Ms),
    side.coldMs === null ? '-' : measureText(side.coldMs),
    side.readBytes === null ? '-' : sizeText(side.readBytes),
  ]
}

function fasterText({ faster, factor, same }: CompareResult): string {
  if (!same) return '-'
  if (faster === 'even') return 'even'
  return `${faster === 'sql' ? 'SQL' : 'files'} ${factorText(factor, '×')}`
}

function differenceLine({ title, difference }: CompareResult): string {
  return `${inline(title)}: ${inline(difference ?? 'the answers differ')}`
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n')
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cellsOfLine: readonly string[]): string => `| ${cellsOfLine.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Escapes names of a lake: they must not become Markdown, HTML or a new column. */
function inline(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_[\]<>|]/g, String.raw`\$&`)
}

function code(text: string): string {
  return `\`${oneLine(text)
    .replaceAll('`', "'")
    .replaceAll('|', String.raw`\|`)}\``
}
