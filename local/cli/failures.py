"""What an error of the emulator or of AWS says to a person, and what to type after it."""

from local.errors import ServiceError
from local.jobs.job import JobError

LONGEST_MESSAGE = 600
"""Characters; AWS lists every allowed value, hundreds of them for an instance type."""
RENEW = "aws sso login, or whatever renews your keys; aws sts get-caller-identity shows whether they are good"
CHOOSE = "export AWS_PROFILE=NAME, aws sso login, or aws configure"
ASK = "ask the account's administrator for the action that the message names, or use another AWS_PROFILE"
REACH = "check the network, its proxy, AWS_REGION and AWS_ENDPOINT_URL"
ADDRESS = "unset AWS_ENDPOINT_URL, or export AWS_ENDPOINT_URL=https://HOST, where it is not AWS"
HINTS = {
    "ResourceInUse": "choose another --name, or leave --name out",
    "ValidationException": "correct the value that the message names, or ask for --help",
    "NoSuchBucket": "aws s3 mb s3://BUCKET makes it, under the variables of drydock env",
    "ResourceLimitExceeded": "another --instance-type, or more of it: Service Quotas, SageMaker, training job usage",
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), RENEW),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"), RENEW),
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignatureException"), RENEW),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "403"), ASK),
}
"""What to type after an error that the endpoint answered with, by its code."""


def explained(error: BaseException, in_aws: bool) -> tuple[str, str] | None:
    """Message and hint: AWS's own code and wording if it answered, or would have; None for an error of ours.

    ``in_aws`` says whom the command spoke to: an account, or the emulator.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, Boto3Error):  # of a file's transfer, about the error of one request
        error = getattr(error, "last_exception", None) or error.__cause__ or error.__context__ or error
    if isinstance(error, ClientError):
        return _answer(*(str(error.response["Error"].get(key, "")) for key in ("Code", "Message")))
    if isinstance(error, ServiceError):
        return _answer(error.code, error.message)
    if isinstance(error, JobError):
        return str(error).partition(": ")[2] or str(error), ""
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint: "):  # botocore has no class for it
        return str(error), ADDRESS
    return _unasked(error, in_aws) if isinstance(error, BotoCoreError) else None


def _answer(code: str, message: str) -> tuple[str, str]:
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} …"
    return f"{code}: {message}", HINTS.get(code, "")


def _unasked(error: BaseException, in_aws: bool) -> tuple[str, str] | None:
    """Of a question that was never answered: no network, no credentials."""
    from botocore import exceptions as boto

    silent = ("AWS does not answer: {}", REACH) if in_aws else ("the emulator stopped answering: {}", "drydock up")
    known = {
        boto.HTTPClientError: silent,
        boto.ConnectionError: silent,
        boto.InvalidRegionError: ("{}", "export AWS_REGION=eu-west-1, or another"),
        boto.SSOError: ("the AWS SSO session is not valid: {}", "aws sso login"),
        boto.TokenRetrievalError: ("the AWS SSO session is not valid: {}", "aws sso login"),
        boto.ProfileNotFound: ("{}", "aws configure list-profiles; export AWS_PROFILE=NAME"),
        boto.NoCredentialsError: ("no AWS credentials were found (environment, profile, SSO, instance)", CHOOSE),
        boto.PartialCredentialsError: ("{}", CHOOSE),
        boto.CredentialRetrievalError: ("{}", CHOOSE),
    }
    found = next((words for kind, words in known.items() if isinstance(error, kind)), None)
    return (found[0].format(error), found[1]) if found else None
