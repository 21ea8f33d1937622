/** How a report of a run may be written. */
export const REPORT_FORMATS = ['markdown', 'json', 'html'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

/** A report that is printed: the whole document. */
export type RunReportEvent = { type: 'run.report'; format: ReportFormat; text: string }
