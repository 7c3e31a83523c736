"""What an error of the emulator or of AWS says to a person, and what to type after it."""

from local.errors import ServiceError
from local.jobs.job import JobError

LONGEST_MESSAGE = 600
"""Characters; AWS lists every allowed value, hundreds of them for an instance type."""
RENEW = "aws sso login, or whatever renews your keys; aws sts get-caller-identity shows whether they are good"
CHOOSE = "export AWS_PROFILE=NAME, aws sso login, or aws configure"
ASK = "ask the account's administrator for the action that the message names, or use another AWS_PROFILE"
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


def explained(error: Exception) -> tuple[str, str] | None:
    """Message and hint: AWS's own code and wording if it answered, or would have; None for an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _answer(*(str(error.response["Error"].get(key, "")) for key in ("Code", "Message")))
    if isinstance(error, ServiceError):
        return _answer(error.code, error.message)
    if isinstance(error, JobError):
        return str(error).partition(": ")[2] or str(error), ""
    return _unasked(error) if isinstance(error, BotoCoreError) else None


def _answer(code: str, message: str) -> tuple[str, str]:
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} …"
    return f"{code}: {message}", HINTS.get(code, "")


def _unasked(error: Exception) -> tuple[str, str] | None:
    """Of a question that was never answered: no network, no credentials."""
    from botocore import exceptions as boto

    if isinstance(error, boto.HTTPClientError) and "amazonaws" not in str(error):
        return f"the emulator stopped answering: {error}", "drydock up"
    known = {
        boto.HTTPClientError: ("AWS does not answer: {}", "check the network, its proxy and AWS_REGION"),
        boto.SSOError: ("the AWS SSO session is not valid: {}", "aws sso login"),
        boto.TokenRetrievalError: ("the AWS SSO session is not valid: {}", "aws sso login"),
        boto.ProfileNotFound: ("{}", "aws configure list-profiles; export AWS_PROFILE=NAME"),
        boto.NoCredentialsError: ("no AWS credentials were found (environment, profile, SSO, instance)", CHOOSE),
        boto.PartialCredentialsError: ("{}", CHOOSE),
        boto.CredentialRetrievalError: ("{}", CHOOSE),
    }
    found = next((words for kind, words in known.items() if isinstance(error, kind)), None)
    return (found[0].format(error), found[1]) if found else None
