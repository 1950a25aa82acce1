/** Everything below it is the operator's. */
export const OPERATOR_PATH = '/operator';
/** The page of the queues. */
export const QUEUES_PATH = `${OPERATOR_PATH}/queues`;
