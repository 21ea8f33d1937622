/** Formats of a run report. */
export const REPORT_FORMATS = ['markdown', 'json', 'html'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

/** A complete report that is printed. */
export type RunReportEvent = { type: 'run.report'; format: ReportFormat; text: string }
