/** Setting that marks a session's writes as changes of a stream: a guarded table accepts only these. */
export const APPLY = 'sluice.apply'

/** Valid for the open transaction. */
export const AS_STREAM = `SET LOCAL ${APPLY} TO 'on'`
